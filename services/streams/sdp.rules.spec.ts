import { describe, expect, test } from '@jest/globals';
import { answerForServer, offerForGoogle, SdpError } from './sdp.rules.ts';

const lines = (...parts: string[]) => `${parts.join('\r\n')}\r\n`;
const ice = (name: string) => [`a=ice-ufrag:${name}`, `a=ice-pwd:${name}-password`, 'a=fingerprint:sha-256 AB:CD'];

/** As MediaMTX 1.20 offers it: video before audio, candidates in the first section. */
const offer = lines(
  'v=0',
  'o=- 1 2 IN IP4 0.0.0.0',
  's=-',
  't=0 0',
  'a=msid-semantic:WMS *',
  'a=group:BUNDLE 0 1',
  'm=video 9 UDP/TLS/RTP/SAVPF 96',
  'c=IN IP4 0.0.0.0',
  'a=setup:actpass',
  'a=mid:0',
  ...ice('server'),
  'a=rtcp-mux',
  'a=rtpmap:96 H264/90000',
  'a=recvonly',
  'a=candidate:1 1 udp 2130706431 10.0.0.1 50000 typ host',
  'a=end-of-candidates',
  'm=audio 9 UDP/TLS/RTP/SAVPF 111',
  'c=IN IP4 0.0.0.0',
  'a=setup:actpass',
  'a=mid:1',
  ...ice('server'),
  'a=rtcp-mux',
  'a=rtpmap:111 opus/48000/2',
  'a=recvonly',
);

const answer = lines(
  'v=0',
  'o=- 9 2 IN IP4 127.0.0.1',
  's=-',
  't=0 0',
  'a=group:BUNDLE 1 0 2',
  'm=audio 19305 UDP/TLS/RTP/SAVPF 111',
  'a=mid:1',
  ...ice('google'),
  'a=candidate:1 1 udp 2113939711 74.125.0.1 19305 typ host',
  'a=sendonly',
  'm=video 9 UDP/TLS/RTP/SAVPF 96',
  'a=mid:0',
  ...ice('google'),
  'a=sendonly',
  'm=application 9 DTLS/SCTP webrtc-datachannel',
  'a=mid:2',
  ...ice('google'),
);

const kinds = (sdp: string) => [...sdp.matchAll(/^m=(\w+)/gm)].map(([, kind]) => kind);
const section = (sdp: string, kind: string) => new RegExp(`m=${kind}[\\s\\S]*?(?=m=|$)`).exec(sdp)?.[0] ?? '';

describe('an offer for Google', () => {
  const made = offerForGoogle(offer);

  test('has audio, video and application, in this order and in one bundle', () => {
    expect(kinds(made)).toEqual(['audio', 'video', 'application']);
    expect(made).toContain('a=group:BUNDLE 1 0 2\r\n');
    expect(made.match(/a=group:BUNDLE/g)).toHaveLength(1);
  });

  test('has the candidates in its first section, which is the one that counts in a bundle', () => {
    expect(section(made, 'audio')).toContain('a=candidate:1 1 udp 2130706431 10.0.0.1 50000 typ host');
  });

  test('lets the data channel use the transport of the others', () => {
    const application = section(made, 'application');
    for (const line of [...ice('server'), 'a=mid:2', 'a=sctp-port:5000', 'a=setup:actpass']) {
      expect(application).toContain(line);
    }
  });

  test('ends its last line and keeps what each section says', () => {
    expect(made.endsWith('\r\n')).toBe(true);
    expect(section(made, 'video')).toContain('a=rtpmap:96 H264/90000');
  });
});

describe("Google's answer for the media server", () => {
  const made = answerForServer(answer, offer);

  test('has the sections of the offer in its order', () => {
    expect(kinds(made)).toEqual(['video', 'audio']);
    expect(made).toContain('a=group:BUNDLE 0 1\r\n');
  });

  test('has the candidates in its first section', () => {
    expect(section(made, 'video')).toContain('a=candidate:1 1 udp 2113939711 74.125.0.1 19305 typ host');
  });
});

test.each([
  ['nothing', ''],
  ['no SDP', '<html>'],
  ['audio alone', lines('v=0', 'm=audio 9 x 1', 'a=mid:0')],
  ['two videos', lines('v=0', 'm=video 9 x 1', 'a=mid:0', 'm=video 9 x 1', 'a=mid:1', 'm=audio 9 x 1', 'a=mid:2')],
  ['a section without mid', lines('v=0', 'm=video 9 x 1', 'm=audio 9 x 1', 'a=mid:1')],
])('%s is refused', (_what, sdp) => {
  expect(() => offerForGoogle(sdp)).toThrow(SdpError);
});

test('an answer that lacks a section is refused', () => {
  expect(() => answerForServer(lines('v=0', 'm=video 9 x 1', 'a=mid:0'), offer)).toThrow(SdpError);
});
