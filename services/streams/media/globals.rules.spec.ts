import { describe, expect, test } from '@jest/globals';
import { globalsProblem, hasGlobals, ownRtsp, protocolsOf, versionProblem, wantedGlobals } from './globals.rules.ts';
import { type HookContext, readAuthAddress } from './hooks.rules.ts';
import { globalsAnswer } from './media.schemas.ts';

const context: HookContext = {
  callback: 'http://gateway:3000/',
  installation: 'one',
  server: 'a1b2',
  secret: 'sesame',
  program: 'wget',
};
/** As a server answers that has everything on. */
const globals = (over: object = {}) =>
  globalsAnswer.parse({
    authMethod: 'internal',
    rtsp: true,
    rtspEncryption: 'no',
    rtspAddress: ':8554',
    rtspsAddress: ':8322',
    rtpAddress: ':8000',
    rtcpAddress: ':8001',
    rtspTransports: ['udp', 'multicast', 'tcp'],
    rtmp: true,
    rtmpEncryption: 'no',
    rtmpAddress: ':1935',
    rtmpsAddress: ':1936',
    hls: true,
    hlsAddress: ':8888',
    webrtc: true,
    webrtcAddress: ':8889',
    srt: true,
    srtAddress: ':8890',
    ...over,
  });

test.each(['v1.20.0', '1.20.1', 'v1.20.1-6-g3e09466c', 'v1.21.0', 'v2.0.0', 'v0.0.0', 'dev'])(
  '%s will do',
  (version) => {
    expect(versionProblem(version)).toBeNull();
  },
);

test.each(['v1.19.3', 'v1.9.0', '1.2.0'])('%s is too old, and the sentence names both versions', (version) => {
  expect(versionProblem(version)).toMatch(/1\.20/);
  expect(versionProblem(version)).toContain(version);
});

describe('globals', () => {
  test('a server asks at an address that is known as its own', () => {
    const { authHTTPAddress } = wantedGlobals(context);
    const url = new URL(authHTTPAddress);
    expect(`${url.origin}${url.pathname}`).toBe('http://gateway:3000/api/media/auth');
    expect(readAuthAddress(url.searchParams, 'sesame')).toBe('a1b2');
    expect(readAuthAddress(url.searchParams, 'other')).toBeNull();
    url.searchParams.set('server', 'b1b2');
    expect(readAuthAddress(url.searchParams, 'sesame')).toBeNull();
  });

  test('they are there only where nothing differs, in whatever order', () => {
    const wanted = wantedGlobals(context);
    const exclude = wanted.authHTTPExclude.toReversed();
    expect(hasGlobals(globals({ ...wanted, authHTTPExclude: exclude }), wanted)).toBe(true);
    expect(hasGlobals(globals(), wanted)).toBe(false);
    expect(hasGlobals(globals({ ...wanted, authMethod: 'jwt' }), wanted)).toBe(false);
    expect(hasGlobals(globals({ ...wanted, authHTTPAddress: 'http://other' }), wanted)).toBe(false);
    const more = [...exclude, { action: 'read', path: '' }];
    expect(hasGlobals(globals({ ...wanted, authHTTPExclude: more }), wanted)).toBe(false);
    const narrower = exclude.map(({ action }) => ({ action, path: 'x' }));
    expect(hasGlobals(globals({ ...wanted, authHTTPExclude: narrower }), wanted)).toBe(false);
  });

  test('a server without plain RTSP and one of another Trigate are not used', () => {
    const of = (installation: string) => globals(wantedGlobals({ ...context, installation }));
    expect(globalsProblem(globals(), 'one')).toBeNull();
    expect(globalsProblem(of('one'), 'one')).toBeNull();
    expect(globalsProblem(of('two'), 'one')).toMatch(/another trigate/i);
    expect(globalsProblem(globals({ authMethod: 'http', authHTTPAddress: 'http://x/auth' }), 'one')).toBeNull();
    expect(globalsProblem(globals({ rtsp: false }), 'one')).toMatch(/RTSP/);
    expect(globalsProblem(globals({ rtspEncryption: 'strict' }), 'one')).toMatch(/RTSP/);
  });
});

describe('protocols', () => {
  test('each has its port', () => {
    expect(protocolsOf(globals())).toEqual({
      rtsp: { port: 8554, secure: false },
      rtmp: { port: 1935, secure: false },
      hls: { port: 8888, secure: false },
      webrtc: { port: 8889, secure: false },
      srt: { port: 8890, secure: false },
      rtp: 8000,
      rtcp: 8001,
    });
  });

  test('what is off has none; what is encrypted is told', () => {
    const some = globals({
      rtspTransports: ['tcp'],
      rtmpEncryption: 'strict',
      hlsEncryption: true,
      hlsAddress: '10.0.0.5:443',
      webrtc: false,
      srtAddress: '',
    });
    expect(protocolsOf(some)).toEqual({
      rtsp: { port: 8554, secure: false },
      rtmp: { port: 1936, secure: true },
      hls: { port: 443, secure: true },
      webrtc: null,
      srt: null,
      rtp: null,
      rtcp: null,
    });
  });

  test.each([
    [':8554', '127.0.0.1:8554'],
    ['0.0.0.0:8554', '127.0.0.1:8554'],
    ['[::]:8554', '127.0.0.1:8554'],
    ['10.0.0.5:554', '10.0.0.5:554'],
    ['[fd00::1]:554', '[fd00::1]:554'],
  ])('a server that listens at %s reaches itself at %s', (rtspAddress, own) => {
    expect(ownRtsp(globals({ rtspAddress }))).toBe(own);
  });
});
