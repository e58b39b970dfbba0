import type { Protocols } from './fleet.types.ts';

/**
 * How a viewer hands its token over, as tried with MediaMTX 1.20.1 and `authMethod: http`; what its question to the
 * auth endpoint then holds:
 *
 * | protocol       | token is in                   | questions                                                       |
 * |----------------|-------------------------------|-----------------------------------------------------------------|
 * | RTSP           | `password`, `token`           | first without any (answer 401, or the client never sends it), then DESCRIBE and SETUP, each with another id |
 * | RTMP           | `password`, `token`, `query`  | one, with the session's id                                      |
 * | SRT            | `password`, `token`           | one, with the session's id                                      |
 * | HLS            | `query` alone (it survives the redirect that looks for cookies) | one per fetch of `index.m3u8`; playlists and segments carry a session and are not asked about |
 * | HLS, WebRTC page | `query` alone               | one, id null                                                    |
 * | WHEP           | `query` alone; `token` where it came as bearer | one per POST, with the session's id; OPTIONS with id null |
 * | feed (publish) | `password`, `token`; `user` is `feed` | ANNOUNCE, first without any                             |
 *
 * A refusal with credentials takes up to 4 s, one without is immediate. The body of a refusal is logged by the server.
 */
export interface AuthBody {
  user?: string | undefined;
  password?: string | undefined;
  token?: string | undefined;
  query?: string | undefined;
}

/** The token of an authentication request, wherever it is; null where there is none. */
export function credentialsOf({ user, password, token, query }: AuthBody): { user: string; token: string | null } {
  const inQuery = () => {
    const parameters = new URLSearchParams(query ?? '');
    return parameters.get('token') || parameters.get('pass') || null;
  };
  return { user: user ?? '', token: token || password || inQuery() };
}

/** URLs at which a viewer watches one path; null where the server does not speak the protocol. */
export interface ViewerUrls {
  rtsp: string | null;
  rtmp: string | null;
  /** The playlist. */
  hls: string | null;
  /** A page with a player. */
  webrtc: string | null;
  whep: string | null;
  /** Also null where path and token are too long for a stream id. */
  srt: string | null;
}

/** SRT's limit of a stream id, in characters. */
const longestStreamId = 512;

/**
 * @param host as in a URL, or an IPv6 address without brackets
 * @param token letters, digits and - . _ only: in a stream id nothing can be escaped
 */
export function viewerUrls(host: string, protocols: Protocols, path: string, token: string): ViewerUrls {
  const { rtsp, rtmp, hls, webrtc, srt } = protocols;
  const name = inUrl(host);
  const streamId = `read:${path}:viewer:${token}`;
  return {
    rtsp: rtsp && `${rtsp.secure ? 'rtsps' : 'rtsp'}://viewer:${token}@${name}:${rtsp.port}/${path}`,
    rtmp: rtmp && `${rtmp.secure ? 'rtmps' : 'rtmp'}://${name}:${rtmp.port}/${path}?user=viewer&pass=${token}`,
    hls: hls && `${http(hls)}://${name}:${hls.port}/${path}/index.m3u8?token=${token}`,
    webrtc: webrtc && `${http(webrtc)}://${name}:${webrtc.port}/${path}/?token=${token}`,
    whep: webrtc && `${http(webrtc)}://${name}:${webrtc.port}/${path}/whep?token=${token}`,
    srt: srt && streamId.length <= longestStreamId ? `srt://${name}:${srt.port}?streamid=${streamId}` : null,
  };
}

const http = ({ secure }: { secure: boolean }): string => (secure ? 'https' : 'http');
/** An IPv6 address in brackets. */
export const inUrl = (host: string): string => (host.includes(':') && !host.startsWith('[') ? `[${host}]` : host);

/** Clients of NestMTX put their own host name in its place. */
const placeholder = '<window.location.origin>';

/** The URL keys of a camera's record, as NestMTX spells them. Without a path or a server all are null. */
export function recordUrls(protocols: Protocols | null, path: string | null) {
  const at = <L extends { port: number; secure: boolean }>(
    listener: L | null | undefined,
    scheme: (listener: L) => string,
    rest: string,
  ) => (listener && path !== null ? `${scheme(listener)}://${placeholder}:${listener.port}/${rest}` : null);
  const { rtsp, rtmp, hls, webrtc, srt, rtp, rtcp } = protocols ?? ({} as Partial<Protocols>);
  const udp = (port: number | null | undefined) => at(port ? { port, secure: false } : null, () => 'rtsp', `${path}`);
  return {
    url_rtsp_tcp: at(rtsp, ({ secure }) => (secure ? 'rtsps' : 'rtsp'), `${path}`),
    url_rtsp_udp_rtp: udp(rtp),
    url_rtsp_udp_rtcp: udp(rtcp),
    url_rtmp: at(rtmp, ({ secure }) => (secure ? 'rtmps' : 'rtmp'), `${path}`),
    url_hls: at(hls, http, `${path}`),
    url_hls_m3u8: at(hls, http, `${path}/index.m3u8`),
    url_web_rtc: at(webrtc, http, `${path}`),
    url_srt: at(srt, () => 'srt', `?streamid=read%3A${path}`),
  };
}
