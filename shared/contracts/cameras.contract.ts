import { z } from 'zod';
import { deviceName, line, listQuery, listResult, recordFields, timestamp } from './fields.ts';
import { action, event, service } from './kernel.ts';
import { rekeyAction } from './rekey.ts';
import { liveFields } from './streams.contract.ts';

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
  /** The RTSP source without query, user name and password; null for a Google device. */
  source: z.string().nullable(),
  mtx_path: z.string().nullable(),
  is_enabled: z.boolean(),
  is_persistent: z.boolean(),
  /** Since when Google no longer shares the device; while it does not, nothing is streamed. */
  vanished_at: timestamp.nullable(),
  expires_at: timestamp.nullable(),
  identified_as: z.array(z.string()).nullable(),
  protocols: z.string().nullable(),
  resolution: z.string().nullable(),
  codecs_video: z.string().nullable(),
  codecs_audio: z.string().nullable(),
  status: z.enum(['unconfigured', 'disabled', 'dead', 'stopped', 'unavailable', 'starting', 'running']),
  process_id: z.int().nullable(),
  ...liveFields,
});

/** A device as Google describes it: what is not named here is kept as it came. */
export const googleDevice = z.looseObject({
  /** `enterprises/<project>/devices/<device>` */
  name: deviceName,
  /** `sdm.devices.types.CAMERA`, … */
  type: z.string().max(255).default(''),
  /** By the full name of the trait. */
  traits: z.record(z.string(), z.record(z.string(), z.unknown())).default({}),
  parentRelations: z.array(z.looseObject({ displayName: z.string().max(1024).optional() })).default([]),
});

export type GoogleDevice = z.output<typeof googleDevice>;

/** What the owner of a camera's stream needs to know. */
const wiring = z.object({
  id: z.string(),
  name: z.string(),
  mtx_path: z.string().nullable(),
  /** False also while Google does not share the device. */
  is_enabled: z.boolean(),
  is_persistent: z.boolean(),
  credentialId: z.string().nullable(),
  /** Google's device name, or the camera's own id where there is no Google device. */
  uid: z.string(),
  /** What the device offers now; empty where there is no Google device. */
  protocols: z.array(z.enum(['RTSP', 'WEB_RTC'])),
  /** The RTSP URL, sealed for `cameras/<id>/source`; null for a Google device. */
  sealedSource: z.string().nullable(),
});

/** How many cameras a list of devices made, changed, and left without a device. */
export const synced = z.object({ created: z.int(), updated: z.int(), vanished: z.int() });

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

const noticed = z.object({
  name: z.string(),
  /** Google's, of the event and of the incident it belongs to. */
  eventId: z.string(),
  sessionId: z.string(),
  /** When the camera noticed it. */
  at: timestamp,
  /** A JPEG in base64, of at most 128 KiB; null where Google has none. */
  image: z.string().nullable(),
});

/** A picture of a home is for nobody who did not log in. */
const pictured = { audience: 'users', details: noticed, personal: ['image'] } as const;

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
        rekey: rekeyAction('cameras'),
        wiring: action({
          summary: 'What streams need to know: of one camera, of whose path it is, or of all, 100 a page, oldest first',
          access: 'internal',
          entity: 'optional',
          payload: z.strictObject({
            page: z.int().min(1).max(10_000).default(1),
            mtx_path: z.string().max(255).optional(),
          }),
          result: z.object({ items: z.array(wiring), total: z.int().min(0) }),
          errors: ['NOT_FOUND'],
          idempotent: true,
        }),
        sync: action({
          summary: 'Bring cameras to what Google shares through credentials',
          access: 'internal',
          entity: 'required',
          payload: z.strictObject({
            devices: z.array(googleDevice).max(100),
            /** Checksums of every device that is shared; given, the cameras of others are marked as vanished. */
            shared: z.array(z.string().length(64)).max(5_000).nullable().default(null),
          }),
          result: synced,
          idempotent: true,
        }),
        identify: action({
          summary: 'The camera that a device is; null where there is none',
          access: 'internal',
          payload: z.strictObject({ device: deviceName }),
          result: z
            .object({
              id: z.string(),
              name: z.string(),
              credentialId: z.string(),
              /** Whether Google has pictures of its events. */
              pictures: z.boolean(),
            })
            .nullable(),
          idempotent: true,
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
      motion: event({ summary: 'The camera noticed a motion', ...pictured }),
      person: event({ summary: 'The camera noticed a person', ...pictured }),
      sound: event({ summary: 'The camera noticed a sound', ...pictured }),
      chime: event({ summary: 'The doorbell was rung', ...pictured }),
    },
  },
});
