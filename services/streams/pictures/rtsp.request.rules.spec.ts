import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  AnswerReader,
  basicAuthorization,
  channelOf,
  encodeRequest,
  type RtspAnswer,
  RtspSyntaxError,
  rtspUrl,
  sessionOf,
} from './rtsp.request.rules.ts';

const read = (...texts: string[]) => {
  const reader = new AnswerReader();
  return texts.flatMap((text) => reader.push(Buffer.from(text, 'latin1')));
};
const answered = (...headers: string[]): RtspAnswer =>
  read(`RTSP/1.0 200 OK\r\n${headers.map((line) => `${line}\r\n`).join('')}\r\n`)[0] as RtspAnswer;

describe('requests', () => {
  test('have their number first, then their headers, and an empty line (RFC 2326, 6 and 12.17)', () => {
    const request = { method: 'RECORD', url: 'rtsp://h:1/door', headers: { Session: 'x', Authorization: undefined } };
    expect(encodeRequest(request as never, 7).toString()).toBe(
      'RECORD rtsp://h:1/door RTSP/1.0\r\nCSeq: 7\r\nSession: x\r\n\r\n',
    );
  });

  test('tell the length of their body in bytes (RFC 2326, 12.14)', () => {
    const text = encodeRequest({ method: 'ANNOUNCE', url: 'rtsp://h:1/door', body: 's=ü' }, 1).toString();
    expect(text.split('\r\n')).toEqual([
      'ANNOUNCE rtsp://h:1/door RTSP/1.0',
      'CSeq: 1',
      'Content-Length: 4',
      '',
      's=ü',
    ]);
  });

  test('go to URLs whose parts are escaped: nothing can end the line', () => {
    expect(rtspUrl('media', 8554, 'front/door')).toBe('rtsp://media:8554/front/door');
    expect(rtspUrl('::1', 8554, 'a b\r\nX: y')).toBe('rtsp://[::1]:8554/a%20b%0D%0AX%3A%20y');
    expect(rtspUrl('[::1]', 8554, 'a')).toBe('rtsp://[::1]:8554/a');
  });

  test('carry user and password as Basic (RFC 7617, 2), or nothing without a user', () => {
    expect(basicAuthorization('Aladdin', 'open sesame')).toBe('Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==');
    expect(basicAuthorization('u', 'a:b')).toBe(`Basic ${btoa('u:a:b')}`);
    expect(basicAuthorization('', 'x')).toBeUndefined();
  });
});

describe('answers', () => {
  test('have a status, a number and headers, whatever their case', () => {
    const [answer] = read('RTSP/1.0 401 Unauthorized\r\ncseq: 3\r\nWWW-Authenticate: a\r\nwww-authenticate: b\r\n\r\n');
    expect(answer).toMatchObject({ status: 401, cseq: 3 });
    expect(answer?.headers.get('www-authenticate')).toEqual(['a', 'b']);
  });

  test('are found between interleaved frames (RFC 2326, 10.12) and requests of the server, in any chunks', () => {
    const parts = [
      '$\x01\x00\x04\r\n\r\n',
      'RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 6\r\n\r\n\r\n\r\n$\x00',
      '$\x00\x00\x00',
      'OPTIONS rtsp://h/ RTSP/1.0\r\nCSeq: 900\r\n\r\n',
      'RTSP/1.0 454 Session Not Found\r\nCSeq: 2\r\n\r\n',
    ];
    const all = Buffer.from(parts.join(''), 'latin1');
    fc.assert(
      fc.property(fc.array(fc.nat(all.length)), (cuts) => {
        const reader = new AnswerReader();
        const at = [0, ...cuts.sort((a, b) => a - b), all.length];
        const answers = at.slice(1).flatMap((end, index) => reader.push(all.subarray(at[index], end)));
        expect(answers.map(({ status, cseq }) => [status, cseq])).toEqual([
          [200, 1],
          [454, 2],
        ]);
      }),
    );
  });

  test.each([
    ['another protocol', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
    ['a head without end', `RTSP/1.0 200 OK\r\n${'x: y\r\n'.repeat(2_000)}`],
    ['a body that is too long', 'RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 99999999\r\n\r\n'],
    ['a length that is none', 'RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: -1\r\n\r\n'],
  ])('%s is an error', (_what, text) => {
    expect(() => read(text)).toThrow(RtspSyntaxError);
  });

  test('name the session, without its timeout (RFC 2326, 12.37)', () => {
    expect(sessionOf(answered('Session: 12345678;timeout=60'))).toBe('12345678');
    expect(sessionOf(answered('Session: abc'))).toBe('abc');
    expect(sessionOf(answered())).toBeUndefined();
  });

  test('name the channels, which need not be those that were asked for (RFC 2326, 12.39)', () => {
    expect(channelOf(answered('Transport: RTP/AVP/TCP;unicast;interleaved=2-3;ssrc=1'))).toBe(2);
    expect(channelOf(answered('Transport: RTP/AVP/TCP;Interleaved=0'))).toBe(0);
    expect(channelOf(answered('Transport: RTP/AVP;unicast;client_port=5000-5001'))).toBeNull();
    expect(channelOf(answered('Transport: RTP/AVP/TCP;interleaved=255-256'))).toBeNull();
    expect(channelOf(answered())).toBeNull();
  });
});
