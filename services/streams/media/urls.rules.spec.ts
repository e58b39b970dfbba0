import { describe, expect, test } from '@jest/globals';
import type { Protocols } from './fleet.types.ts';
import { credentialsOf, recordUrls, viewerUrls } from './urls.rules.ts';

const plain = (port: number) => ({ port, secure: false });
const all: Protocols = {
  rtsp: plain(8554),
  rtmp: plain(1935),
  hls: plain(8888),
  webrtc: plain(8889),
  srt: plain(8890),
  rtp: 8000,
  rtcp: 8001,
};
const off: Protocols = { rtsp: null, rtmp: null, hls: null, webrtc: null, srt: null, rtp: null, rtcp: null };

describe('URLs for viewers', () => {
  test('each protocol has the token where MediaMTX reads it', () => {
    expect(viewerUrls('media.example.org', all, 'door', 'abc.d')).toEqual({
      rtsp: 'rtsp://viewer:abc.d@media.example.org:8554/door',
      rtmp: 'rtmp://media.example.org:1935/door?user=viewer&pass=abc.d',
      hls: 'http://media.example.org:8888/door/index.m3u8?token=abc.d',
      webrtc: 'http://media.example.org:8889/door/?token=abc.d',
      whep: 'http://media.example.org:8889/door/whep?token=abc.d',
      srt: 'srt://media.example.org:8890?streamid=read:door:viewer:abc.d',
    });
  });

  test('what is encrypted has the name of that, and an IPv6 address its brackets', () => {
    const secure = { ...all, rtsp: { port: 8322, secure: true }, hls: { port: 443, secure: true } };
    const urls = viewerUrls('fd00::1', secure, 'door', 't');
    expect(urls.rtsp).toBe('rtsps://viewer:t@[fd00::1]:8322/door');
    expect(urls.hls).toBe('https://[fd00::1]:443/door/index.m3u8?token=t');
  });

  test('protocols that are off have none', () => {
    expect(new Set(Object.values(viewerUrls('h', off, 'door', 't')))).toEqual(new Set([null]));
  });

  test('SRT has one up to the 512 characters of a stream id', () => {
    const longest = 512 - 'read:door:viewer:'.length;
    expect(viewerUrls('h', all, 'door', 't'.repeat(longest)).srt).toContain('streamid=');
    expect(viewerUrls('h', all, 'door', 't'.repeat(longest + 1)).srt).toBeNull();
  });
});

describe('URLs in records', () => {
  test('they are as NestMTX gives them, with its placeholder for the host', () => {
    expect(recordUrls(all, 'door')).toEqual({
      url_rtsp_tcp: 'rtsp://<window.location.origin>:8554/door',
      url_rtsp_udp_rtp: 'rtsp://<window.location.origin>:8000/door',
      url_rtsp_udp_rtcp: 'rtsp://<window.location.origin>:8001/door',
      url_rtmp: 'rtmp://<window.location.origin>:1935/door',
      url_hls: 'http://<window.location.origin>:8888/door',
      url_hls_m3u8: 'http://<window.location.origin>:8888/door/index.m3u8',
      url_web_rtc: 'http://<window.location.origin>:8889/door',
      url_srt: 'srt://<window.location.origin>:8890/?streamid=read%3Adoor',
    });
  });

  test('all are null without a path, without a server, and where a protocol is off', () => {
    for (const urls of [recordUrls(all, null), recordUrls(null, 'door'), recordUrls(off, 'door')]) {
      expect(Object.keys(urls)).toHaveLength(8);
      expect(new Set(Object.values(urls))).toEqual(new Set([null]));
    }
  });
});

describe('credentials of an authentication request', () => {
  test.each([
    ['RTSP', { user: 'viewer', password: 'abc', token: 'abc', query: '' }],
    ['HLS and WebRTC', { user: '', password: '', token: '', query: 'token=abc' }],
    ['WHEP with a bearer', { user: '', password: '', token: 'abc', query: '' }],
    ['RTMP', { user: 'viewer', password: 'abc', token: 'abc', query: 'user=viewer&pass=abc' }],
    ['older servers, that send no token', { user: '', password: 'abc' }],
  ])('the token of %s is found', (_protocol, body) => {
    expect(credentialsOf(body)).toEqual({ user: body.user, token: 'abc' });
  });

  test('without any there is none', () => {
    expect(credentialsOf({ user: '', password: '', token: '', query: 'a=b' })).toEqual({ user: '', token: null });
    expect(credentialsOf({})).toEqual({ user: '', token: null });
  });
});
