import { z } from 'zod';
import { listQuery, listResult, timestamp } from './fields.ts';
import { action, event, service } from './kernel.ts';

const stream = z.object({
  id: z.string(),
  camera: z.string(),
  state: z.enum(['starting', 'ready', 'failed']),
  readers: z.int(),
  server: z.string(),
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
            rtsp: z.string(),
            hls: z.string(),
            webrtc: z.string(),
            rtmp: z.string(),
            srt: z.string(),
            expires: timestamp,
          }),
          errors: ['NOT_FOUND'],
        }),
        delete: action({
          summary: 'End a stream and its readers',
          access: 'user',
          entity: 'required',
          result: null,
          errors: ['NOT_FOUND'],
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
