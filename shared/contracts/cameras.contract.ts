import { z } from 'zod';
import { line, listQuery, listResult, recordFields, timestamp } from './fields.ts';
import { action, event, service } from './kernel.ts';

/** Keys and their spelling are NestMTX's; clients written for it read them. */
export const cameraRecord = z.object({
  ...recordFields,
  credentialId: z.string().nullable(),
  /** Google's device name, or the camera's own id where there is no Google device. */
  uid: z.string(),
  room: z.string(),
  name: z.string(),
  checksum: z.string(),
  info: z.record(z.string(), z.unknown()).nullable(),
  /** The RTSP source without user name and password; null for a Google device. */
  source: z.string().nullable(),
  mtx_path: z.string().nullable(),
  is_enabled: z.boolean(),
  is_persistent: z.boolean(),
  expires_at: timestamp.nullable(),
  identified_as: z.array(z.string()).nullable(),
  protocols: z.string().nullable(),
  resolution: z.string().nullable(),
  codecs_video: z.string().nullable(),
  codecs_audio: z.string().nullable(),
  status: z.enum(['unconfigured', 'disabled', 'dead', 'stopped', 'unavailable', 'starting', 'running']),
  process_id: z.int().nullable(),
  stream_ready: z.boolean(),
  stream_uptime: timestamp.nullable(),
  stream_track_count: z.int(),
  stream_consumer_count: z.int(),
  stream_data_rx: z.int(),
  stream_data_tx: z.int(),
  url_rtsp_tcp: z.string().nullable(),
  url_rtsp_udp_rtp: z.string().nullable(),
  url_rtsp_udp_rtcp: z.string().nullable(),
  url_rtmp: z.string().nullable(),
  url_hls: z.string().nullable(),
  url_hls_m3u8: z.string().nullable(),
  url_web_rtc: z.string().nullable(),
  url_srt: z.string().nullable(),
});

const mtxPath = z.union([
  z.literal(''),
  z
    .string()
    .max(255)
    .regex(/^[A-Za-z0-9\-._~]+$/, 'letters, digits and - . _ ~ only'),
]);
const source = z
  .string()
  .max(2048)
  .regex(/^rtsps?:\/\/[^\s/]+(\/\S*)?$/, 'an rtsp:// or rtsps:// URL');
const room = line(255);
const name = line(255);

const base = z.object({ name: z.string().nullable(), enabled: z.boolean().nullable(), path: z.string().nullable() });
const demanded = base.extend({ query: z.string().nullable() });
const sourced = demanded.extend({ sourceType: z.string(), sourceId: z.string() });
const readBy = demanded.extend({ readerType: z.string(), readerId: z.string() });

export const camerasContract = service({
  service: 'cameras',
  modules: {
    cameras: {
      summary: 'Cameras: Google devices and RTSP sources',
      actions: {
        list: action({
          summary: 'List cameras; `search` is part of a room or a name',
          access: 'user',
          payload: listQuery(['createdAt', 'name', 'room']),
          result: listResult(cameraRecord),
          idempotent: true,
        }),
        create: action({
          summary: 'Add a camera that is an RTSP source',
          access: 'admin',
          payload: z.strictObject({
            name,
            room: room.default('Unknown'),
            source,
            mtx_path: mtxPath.nullable().default(null),
            is_enabled: z.boolean().default(false),
            is_persistent: z.boolean().default(false),
          }),
          result: cameraRecord,
          errors: ['CONFLICT'],
        }),
        read: action({
          summary: 'Read a camera',
          access: 'user',
          entity: 'required',
          result: cameraRecord,
          errors: ['NOT_FOUND'],
          idempotent: true,
        }),
        update: action({
          summary: 'Change a camera; disabling it also ends its persistence',
          access: 'admin',
          entity: 'required',
          payload: z.strictObject({
            name: name.optional(),
            room: room.optional(),
            source: source.optional(),
            mtx_path: mtxPath.nullable().optional(),
            is_enabled: z.boolean().optional(),
            is_persistent: z.boolean().optional(),
          }),
          result: cameraRecord,
          errors: ['NOT_FOUND', 'CONFLICT'],
        }),
        delete: action({
          summary: 'Delete a camera',
          access: 'admin',
          entity: 'required',
          result: null,
          errors: ['NOT_FOUND'],
        }),
        disown: action({
          summary: 'Delete the cameras of deleted credentials',
          access: 'internal',
          entity: 'required',
          result: z.object({ deleted: z.int() }),
          idempotent: true,
        }),
      },
    },
  },
  events: {
    camera: {
      created: event({ summary: 'A camera was added', audience: 'users', details: base }),
      updated: event({ summary: 'A camera was changed', audience: 'users', details: base }),
      deleted: event({ summary: 'A camera was deleted', audience: 'users', details: base }),
      demand: event({
        summary: 'A client attempts to read from the camera feed',
        audience: 'users',
        details: demanded,
      }),
      unDemand: event({ summary: 'No more clients read from the camera feed', audience: 'users', details: demanded }),
      ready: event({ summary: 'The camera feed can be read', audience: 'users', details: sourced }),
      notReady: event({ summary: 'The camera feed can no longer be read', audience: 'users', details: sourced }),
      read: event({ summary: 'A client starts consuming the camera feed', audience: 'users', details: readBy }),
      unread: event({ summary: 'A client stops consuming the camera feed', audience: 'users', details: readBy }),
      extended: event({
        summary: 'The source stream authentication has been extended',
        audience: 'users',
        details: z.object({ name: z.string(), expiresAt: timestamp }),
      }),
      'failed-extension': event({
        summary: 'The source stream authentication failed to be extended',
        audience: 'users',
        details: z.object({ name: z.string(), error: z.string() }),
      }),
    },
  },
});
