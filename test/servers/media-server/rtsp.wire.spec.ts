import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { splitCommand } from './hooks.ts';
import { authorize, digestMatches } from './rtsp.auth.ts';
import { encodeRequest, encodeResponse, parseTarget, RtspDecoder, toFrame, WireError } from './rtsp.wire.ts';

const describeRequest = encodeRequest('DESCRIBE', 'rtsp://host/door', { CSeq: '2' });
const answer = encodeResponse(200, { CSeq: '2' }, 'v=0\r\n');
const frame = toFrame(Buffer.from('packet'), 1);

describe('an RTSP connection', () => {
  test('is cut into the same messages wherever its bytes are cut', () => {
    const bytes = Buffer.concat([describeRequest, frame, answer, frame, Buffer.from('\r\n'), describeRequest]);
    const whole = new RtspDecoder().push(bytes);
    expect(whole.map(({ kind }) => kind)).toEqual(['request', 'frame', 'response', 'frame', 'request']);
    expect(whole[2]).toMatchObject({ status: 200, body: Buffer.from('v=0\r\n') });
    expect(whole[1]).toMatchObject({ channel: 1, raw: frame });
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length), { maxLength: 20 }), (cuts) => {
        const decoder = new RtspDecoder();
        const places = [0, ...cuts.sort((a, b) => a - b), bytes.length];
        const messages = places.slice(1).flatMap((end, index) => decoder.push(bytes.subarray(places[index], end)));
        expect(messages).toEqual(whole);
      }),
    );
  });

  test.each([
    ['GET / HTTP/1.1\r\n\r\n'],
    ['DESCRIBE rtsp://host/door RTSP/1.0\r\nCSeq\r\n\r\n'],
    ['ANNOUNCE rtsp://host/door RTSP/1.0\r\nContent-Length: 9999999\r\n\r\n'],
    [`DESCRIBE rtsp://host/${'x'.repeat(20_000)}`],
  ])('ends with what is no RTSP: %#', (text) => {
    expect(() => new RtspDecoder().push(Buffer.from(text))).toThrow(WireError);
  });
});

test.each([
  ['rtsp://host:8554/a/b', 'a/b', '', ''],
  ['rtsp://host/door/trackID=1', 'door', '', 'trackID=1'],
  ['rtsp://host/door?token=x/trackID=0', 'door', 'token=x', 'trackID=0'],
  ['rtsp://host/door/?token=x/', 'door', 'token=x', ''],
  ['rtsps://host', '', '', ''],
])('%s is a path, a query and a control', (url, path, query, control) => {
  expect(parseTarget(url, ['trackID=0', 'trackID=1'])).toEqual({ path, query, control });
});

test('Digest is preferred to Basic, and right for this user, password and nonce only', () => {
  const credentials = { user: 'admin', password: 'p"w' };
  const challenges = ['Basic realm="cam"', 'Digest realm="cam", nonce="abc"'];
  const header = authorize(challenges, credentials, 'DESCRIBE', 'rtsp://host/x') ?? '';
  expect(header).toMatch(
    /^Digest username="admin", realm="cam", nonce="abc", uri="rtsp:\/\/host\/x", response="[0-9a-f]{32}"$/,
  );
  expect(digestMatches(header, credentials, 'abc', 'DESCRIBE')).toBe(true);
  expect(digestMatches(header, { ...credentials, password: 'other' }, 'abc', 'DESCRIBE')).toBe(false);
  expect(digestMatches(header, credentials, 'other', 'DESCRIBE')).toBe(false);
  expect(digestMatches(header, credentials, 'abc', 'SETUP')).toBe(false);
  expect(authorize([], credentials, 'DESCRIBE', 'rtsp://host/x')).toBeUndefined();
});

test.each([
  ['node hook.ts  $MTX_PATH', ['node', 'hook.ts', '$MTX_PATH']],
  [`sh -c 'echo "a b"' x`, ['sh', '-c', 'echo "a b"', 'x']],
  [`"a \\"b\\" \\n" c\\ d ''`, ['a "b" \\n', 'c d', '']],
  [`--data='{"a":1}'`, ['--data={"a":1}']],
  ['', []],
])('the command %j is split as a shell does', (text, parts) => {
  expect(splitCommand(text)).toEqual(parts);
});

test('a command with an open quote is none', () => {
  expect(() => splitCommand(`sh -c 'echo`)).toThrow('a quote is not closed');
});
