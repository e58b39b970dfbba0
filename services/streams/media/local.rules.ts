import type { NetworkInterfaceInfo } from 'node:os';
import { wantedGlobals } from './globals.rules.ts';
import type { HookContext } from './hooks.rules.ts';
import { inUrl } from './urls.rules.ts';

/** Ports of a media server of ours; none is 0. RTCP has the one after RTP. */
export interface LocalPorts {
  api: number;
  rtsp: number;
  rtp: number;
  rtmp: number;
  hls: number;
  webrtc: number;
  webrtcUdp: number;
  srt: number;
}

/**
 * The configuration of a media server that runs beside us. Only its control API is bound to loopback; the rest listens
 * where Trigate does. From the start it asks us who may read. As JSON it is YAML too.
 */
export function localConfig(host: string, ports: LocalPorts, context: HookContext): string {
  const at = (port: number) => `${listenHost(host)}:${port}`;
  return JSON.stringify({
    ...wantedGlobals(context),
    api: true,
    apiAddress: `127.0.0.1:${ports.api}`,
    rtsp: true,
    rtspTransports: ['udp', 'tcp'],
    rtspAddress: at(ports.rtsp),
    rtpAddress: at(ports.rtp),
    rtcpAddress: at(ports.rtp + 1),
    rtmp: true,
    rtmpAddress: at(ports.rtmp),
    hls: true,
    hlsAddress: at(ports.hls),
    webrtc: true,
    webrtcAddress: at(ports.webrtc),
    webrtcLocalUDPAddress: at(ports.webrtcUdp),
    // Of loopback no interface tells.
    ...(isLoopback(host) && { webrtcAdditionalHosts: [host] }),
    srt: true,
    srtAddress: at(ports.srt),
    moq: false,
    paths: {},
  });
}

const listenHost = (host: string): string => (isEverywhere(host) ? '' : inUrl(host));
const isEverywhere = (host: string): boolean => host === '0.0.0.0' || host === '::';
const isLoopback = (host: string): boolean => /^(127\.[\d.]+|::1|localhost)$/.test(host);

/** Where viewers reach it: where it listens, or where it listens everywhere the machine's first address. */
export function localHost(host: string, interfaces: NodeJS.Dict<NetworkInterfaceInfo[]>): string {
  if (!isEverywhere(host)) return host;
  const addresses = Object.values(interfaces).flatMap((list) => list ?? []);
  return addresses.find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? '127.0.0.1';
}

/** Where this machine itself reaches what listens there: loopback, unless that is one address only. */
export const localAddress = (host: string): string => (isEverywhere(host) ? '127.0.0.1' : host);
export const localUrl = (host: string, port: number): string => `http://${inUrl(localAddress(host))}:${port}`;

/** How loud a line of MediaMTX is for us: `2026/01/31 10:00:00 ERR [RTSP] …` */
export const lineLevel = (line: string): 'warn' | 'debug' => (/^\S+ \S+ (WRN|ERR) /.test(line) ? 'warn' : 'debug');
