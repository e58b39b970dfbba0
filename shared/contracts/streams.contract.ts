import { z } from 'zod';
import { listQuery, listResult, timestamp } from './fields.ts';
import { action, event, service } from './kernel.ts';
import { rekeyAction } from './rekey.ts';

/** A camera has one stream at most: its id is the camera's. */
const stream = z.object({
  id: z.string(),
  camera: z.string(),
  /** `idle`: it begins when somebody watches. */
  state: z.enum(['idle', 'starting', 'ready', 'failed']),
  /** Why there is no picture; null while there is one. */
  problem: z.string().nullable(),
  readers: z.int(),
  /** The media server it is on; null while none lives. */
  server: z.string().nullable(),
});
const text = (max: number) => z.string().max(max);
const url = z.string().nullable();
/** What media servers tell of a camera's stream, under NestMTX's keys. */
export const liveFields = {
  stream_ready: z.boolean(),
  stream_uptime: timestamp.nullable(),
  stream_track_count: z.int(),
  stream_consumer_count: z.int(),
  stream_data_rx: z.int(),
  stream_data_tx: z.int(),
  url_rtsp_tcp: url,
  url_rtsp_udp_rtp: url,
  url_rtsp_udp_rtcp: url,
  url_rtmp: url,
  url_hls: url,
  url_hls_m3u8: url,
  url_web_rtc: url,
  url_srt: url,
};

/** What a camera's record tells of its stream. */
export const streamStatus = z.object({
  status: z.enum(['stopped', 'unavailable', 'starting', 'running']),
  expires_at: timestamp.nullable(),
  ...liveFields,
});
const details = z.object({ camera: z.string(), server: z.string() });

export const streamsContract = service({
  service: 'streams',
  modules: {
    streams: {
      summary: 'Live streams of cameras; UNAVAILABLE where there is no media server',
      actions: {
        list: action({
          summary: 'Streams with state, readers and server',
          access: 'user',
          payload: listQuery(['camera']),
          result: listResult(stream),
          idempotent: true,
        }),
        read: action({
          summary: 'One stream',
          access: 'user',
          entity: 'required',
          result: stream,
          errors: ['NOT_FOUND'],
          idempotent: true,
        }),
        create: action({
          summary: 'URLs, with a short-lived token, at which a camera can be watched',
          access: 'user',
          payload: z.strictObject({ camera: z.string().min(1).max(128) }),
          result: z.object({
            id: z.string(),
            /** Null where the media server does not speak the protocol. */
            rtsp: url,
            hls: url,
            webrtc: url,
            rtmp: url,
            srt: url,
            /** Until when a reader may begin; one that reads goes on. */
            expires: timestamp,
          }),
          errors: ['NOT_FOUND', 'CONFLICT', 'LIMIT_EXCEEDED'],
        }),
        delete: action({
          summary: 'End a stream and its readers',
          access: 'user',
          entity: 'required',
          result: null,
          errors: ['NOT_FOUND'],
        }),
        rekey: rekeyAction('streams'),
        hook: action({
          summary: 'What a media server tells of a path, as it came: the name of the hook and its signed query',
          access: 'internal',
          payload: z.strictObject({ event: text(32), query: text(16_384) }),
          result: null,
        }),
        vouch: action({
          summary: 'Whether it is a media server that asks: by the bearer of a feed, else by its signed address',
          access: 'internal',
          payload: z.strictObject({
            query: text(1_024).default(''),
            feed: text(512).optional(),
            bearer: text(128).default(''),
          }),
          result: null,
          idempotent: true,
        }),
        authorize: action({
          summary: 'Whether a media server may let a reader or a publisher in',
          access: 'internal',
          payload: z.strictObject({
            /** Of the address it asked at: server and signature. */
            query: text(1_024),
            /** What the media server asks; see its `authHTTPAddress`. */
            attempt: z.object({
              ip: text(128).default(''),
              user: text(1_024).default(''),
              password: text(8_192).default(''),
              token: text(8_192).default(''),
              action: text(32),
              path: text(512).default(''),
              protocol: text(32).default(''),
              id: text(128).nullable().default(null),
              query: text(8_192).default(''),
            }),
          }),
          result: null,
        }),
        offer: action({
          summary: "Exchange a media server's WebRTC offer for the camera's answer",
          access: 'internal',
          payload: z.strictObject({ feed: text(512), bearer: text(128), sdp: text(65_536) }),
          result: z.object({ sdp: z.string() }),
          errors: ['NOT_FOUND', 'CONFLICT'],
        }),
        statuses: action({
          summary: 'How the streams of cameras are',
          access: 'internal',
          payload: z.strictObject({ cameras: z.array(text(256)).max(100) }),
          result: z.object({ cameras: z.record(z.string(), streamStatus) }),
          idempotent: true,
        }),
      },
    },
  },
  events: {
    streams: {
      started: event({ summary: 'A stream began', audience: 'users', details }),
      stopped: event({ summary: 'A stream ended', audience: 'users', details }),
    },
  },
});
