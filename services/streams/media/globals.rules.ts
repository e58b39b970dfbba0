import type { Listener, Protocols } from './fleet.types.ts';
import { authAddress, authRoute, type HookContext, hookMarker } from './hooks.rules.ts';
import type { Globals } from './media.schemas.ts';

const oldest = [1, 20] as const;

/** Why a server of this version cannot be used, as a sentence; null where it can, or says nothing to go by. */
export function versionProblem(version: string): string | null {
  const [, major, minor] = /^v?(\d+)\.(\d+)/.exec(version) ?? [];
  if (major === undefined || Number(major) === 0) return null;
  const older = Number(major) - oldest[0] || Number(minor) - oldest[1];
  if (older >= 0) return null;
  return `MediaMTX ${oldest.join('.')} or newer is needed, as a path's forward came with it; this is ${version}`;
}

/** Why a server with these settings cannot be used, as a sentence; null where it can. */
export function globalsProblem(globals: Globals, installation: string): string | null {
  if (!globals.rtsp) return 'RTSP is off, over which cameras feed the paths of viewers (rtsp: yes)';
  if (globals.rtspEncryption === 'strict') {
    return 'RTSP is only there encrypted, and cameras feed the paths of viewers over plain RTSP (rtspEncryption: optional)';
  }
  const address = globals.authHTTPAddress ?? '';
  if (globals.authMethod !== 'http' || !address.includes(`${authRoute}?`)) return null;
  if (address.includes(hookMarker(installation))) return null;
  return 'Another Trigate uses this media server; restart the media server to hand it over';
}

/**
 * Who may read and publish is asked of us; the control API, metrics and profiles are not, as we could not be reached
 * by the very call that says where we are.
 */
export const wantedGlobals = (context: HookContext) => ({
  authMethod: 'http',
  authHTTPAddress: authAddress(context),
  authHTTPExclude: ['api', 'metrics', 'pprof'].map((action) => ({ action, path: '' })),
});

/** Whether a server has them already. */
export function hasGlobals(found: Globals, wanted: ReturnType<typeof wantedGlobals>): boolean {
  const actions = (list: { action: string; path: string }[] = []) =>
    list.map(({ action, path }) => `${action} ${path}`).toSorted((one, other) => one.localeCompare(other));
  return (
    found.authMethod === wanted.authMethod &&
    found.authHTTPAddress === wanted.authHTTPAddress &&
    actions(found.authHTTPExclude).join() === actions(wanted.authHTTPExclude).join()
  );
}

/** `:8554`, `0.0.0.0:8554`, `[::]:8554`, `10.0.0.5:8554` */
function readAddress(address: string): { host: string; port: number } | null {
  const [, host, port] = /^(.*):(\d{1,5})$/.exec(address) ?? [];
  return host === undefined ? null : { host, port: Number(port) };
}

/** What the server speaks, and at which ports. */
export function protocolsOf(globals: Globals): Protocols {
  const listener = (on: boolean, address: string, secure: boolean): Listener | null => {
    const port = on ? (readAddress(address)?.port ?? 0) : 0;
    return port > 0 ? { port, secure } : null;
  };
  const either = (on: boolean, encryption: string, plain: string, secure: string) =>
    encryption === 'strict' ? listener(on, secure, true) : listener(on, plain, false);
  const udp = globals.rtsp && globals.rtspTransports.includes('udp') && globals.rtspEncryption !== 'strict';
  return {
    rtsp: either(globals.rtsp, globals.rtspEncryption, globals.rtspAddress, globals.rtspsAddress),
    rtmp: either(globals.rtmp, globals.rtmpEncryption, globals.rtmpAddress, globals.rtmpsAddress),
    hls: listener(globals.hls, globals.hlsAddress, globals.hlsEncryption),
    webrtc: listener(globals.webrtc, globals.webrtcAddress, globals.webrtcEncryption),
    srt: listener(globals.srt, globals.srtAddress, false),
    rtp: listener(udp, globals.rtpAddress, false)?.port ?? null,
    rtcp: listener(udp, globals.rtcpAddress, false)?.port ?? null,
  };
}

/** Where the server reaches its own RTSP: loopback, unless it listens at one address only. */
export function ownRtsp({ rtspAddress }: Globals): string | null {
  const address = readAddress(rtspAddress);
  if (!address) return null;
  const everywhere = ['', '0.0.0.0', '[::]'].includes(address.host);
  return `${everywhere ? '127.0.0.1' : address.host}:${address.port}`;
}
