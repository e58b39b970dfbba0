import { z } from 'zod';

/** What is read of MediaMTX's answers. More keys are let through unread, as each version adds some. */

export const infoAnswer = z.object({ version: z.string().max(128).trim(), started: z.string().max(64) });
export type Info = z.output<typeof infoAnswer>;

/** Keys of a global configuration that matter here. One that an older server does not know is absent. */
export const globalsAnswer = z.object({
  authMethod: z.string().optional(),
  authHTTPAddress: z.string().optional(),
  authHTTPExclude: z.array(z.object({ action: z.string(), path: z.string().default('') })).optional(),
  rtsp: z.boolean().default(false),
  rtspEncryption: z.string().default('no'),
  rtspAddress: z.string().default(''),
  rtspsAddress: z.string().default(''),
  rtpAddress: z.string().default(''),
  rtcpAddress: z.string().default(''),
  rtspTransports: z.array(z.string()).default([]),
  rtmp: z.boolean().default(false),
  rtmpEncryption: z.string().default('no'),
  rtmpAddress: z.string().default(''),
  rtmpsAddress: z.string().default(''),
  hls: z.boolean().default(false),
  hlsEncryption: z.boolean().default(false),
  hlsAddress: z.string().default(''),
  webrtc: z.boolean().default(false),
  webrtcEncryption: z.boolean().default(false),
  webrtcAddress: z.string().default(''),
  srt: z.boolean().default(false),
  srtAddress: z.string().default(''),
});
export type Globals = z.output<typeof globalsAnswer>;

/** A path's configuration as it is read: everything the server filled in included. */
export const configPathAnswer = z.looseObject({ name: z.string() });
export type ConfigPath = z.output<typeof configPathAnswer>;

const reader = z.object({ type: z.string(), id: z.string() });
const bytes = z.number().nonnegative().optional();
const time = z.string().nullish();

const livePath = z.object({
  name: z.string(),
  confName: z.string().optional(),
  available: z.boolean().optional(),
  availableTime: time,
  ready: z.boolean().optional(),
  readyTime: time,
  source: reader.nullish(),
  tracks: z.array(z.string()).nullish(),
  tracks2: z.array(z.object({ codec: z.string(), codecProps: z.record(z.string(), z.unknown()).nullish() })).nullish(),
  readers: z.array(reader).nullish(),
  inboundBytes: bytes,
  outboundBytes: bytes,
  bytesReceived: bytes,
  bytesSent: bytes,
});

export interface Track {
  codec: string;
  /** `width` and `height` in pixels, `profile`, `channelCount` and the like, by codec. */
  props: Record<string, unknown>;
}

/** A path that is in use or could be. */
export interface LivePath {
  name: string;
  /** Whether readers get media now. */
  available: boolean;
  /** Since when, ISO; null while it is not. */
  since: string | null;
  source: { type: string; id: string } | null;
  tracks: Track[];
  readers: { type: string; id: string }[];
  inboundBytes: number;
  outboundBytes: number;
}

/** Names of before 1.16 and 1.17 count where the new ones are absent. */
export const livePathAnswer = livePath.transform((path): LivePath => {
  const available = path.available ?? path.ready ?? false;
  const since = path.availableTime ?? path.readyTime ?? null;
  const tracks = path.tracks2?.map(({ codec, codecProps }) => ({ codec, props: codecProps ?? {} }));
  return {
    name: path.name,
    available,
    since: available ? since : null,
    source: path.source ?? null,
    tracks: tracks ?? path.tracks?.map((codec) => ({ codec, props: {} })) ?? [],
    readers: path.readers ?? [],
    inboundBytes: path.inboundBytes ?? path.bytesReceived ?? 0,
    outboundBytes: path.outboundBytes ?? path.bytesSent ?? 0,
  };
});

/** A reader's or publisher's session. `query` may hold a token. */
export const sessionAnswer = z
  .object({
    id: z.string(),
    created: z.string(),
    remoteAddr: z.string().default(''),
    path: z.string().default(''),
    state: z.string().optional(),
    query: z.string().default(''),
    user: z.string().default(''),
    outboundBytes: bytes,
    bytesSent: bytes,
  })
  .transform(({ outboundBytes, bytesSent, ...session }) => ({
    ...session,
    outboundBytes: outboundBytes ?? bytesSent ?? 0,
  }));

export const pageOf = <T extends z.ZodType>(item: T) =>
  z.object({ itemCount: z.int().nonnegative(), pageCount: z.int().nonnegative(), items: z.array(item) });
