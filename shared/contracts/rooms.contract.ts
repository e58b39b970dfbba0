import { z } from 'zod';
import { jsonValue, line, listQuery, listResult, recordFields, timestamp } from './fields.ts';
import { action, event, service } from './kernel.ts';

export const roomName = line(128);

export const roomRecord = z.object({
  ...recordFields,
  name: z.string(),
  private: z.boolean(),
  members: z.array(z.string()),
});

export const roomMessage = z.object({
  id: z.string(),
  room: z.string(),
  from: z.object({ id: z.string(), username: z.string(), email: z.string().nullable() }),
  message: z.unknown(),
  /** Of `client:message` on Socket.IO. */
  type: z.string().optional(),
  metadata: z.record(z.string(), z.unknown()).optional(),
  timestamp,
});

/** Bytes of JSON: what is said is the message, and a history carries many of them. */
const maxMetadata = 16 * 1_024;

/** What a sender says of its message. */
export const messageMetadata = z
  .record(z.string(), z.unknown())
  .refine((value) => Buffer.byteLength(JSON.stringify(value)) <= maxMetadata, 'has at most 16 KB of JSON');

const members = z.array(z.string().min(1).max(128)).max(1_000);
const details = z.object({ name: z.string(), private: z.boolean() });

export const roomsContract = service({
  service: 'rooms',
  modules: {
    rooms: {
      summary: 'Rooms; `entity` is the id or the name of one',
      actions: {
        list: action({
          summary: 'List rooms the caller may see; `search` is part of a name',
          access: 'user',
          payload: listQuery(['createdAt', 'name']),
          result: listResult(roomRecord),
          idempotent: true,
        }),
        create: action({
          summary: 'Make a room; its maker and administrators may change it',
          access: 'user',
          payload: z.strictObject({
            name: roomName,
            private: z.boolean().default(false),
            members: members.default([]),
          }),
          result: roomRecord,
          errors: ['CONFLICT'],
        }),
        read: action({
          summary: 'Read a room',
          access: 'user',
          entity: 'required',
          result: roomRecord,
          errors: ['NOT_FOUND'],
          idempotent: true,
        }),
        update: action({
          summary: 'Change a room',
          access: 'user',
          entity: 'required',
          payload: z.strictObject({
            name: roomName.optional(),
            private: z.boolean().optional(),
            members: members.optional(),
          }),
          result: roomRecord,
          errors: ['NOT_FOUND', 'CONFLICT'],
        }),
        delete: action({
          summary: 'Delete a room and its history',
          access: 'user',
          entity: 'required',
          result: null,
          errors: ['NOT_FOUND'],
        }),
        join: action({
          summary: 'Become a member; joining a name nobody made is allowed and makes nothing',
          access: 'user',
          entity: 'required',
          result: z.object({ room: z.string() }),
          errors: ['LIMIT_EXCEEDED'],
          idempotent: true,
        }),
        leave: action({
          summary: 'Stop being a member',
          access: 'user',
          entity: 'required',
          result: z.object({ room: z.string() }),
          idempotent: true,
        }),
        send: action({
          summary:
            'Send a message to a room, or, as `me`, to the own history; it is stored before the answer. `metadata` has at most 16 KB of JSON',
          access: 'user',
          entity: 'required',
          payload: z.strictObject({
            message: jsonValue,
            type: line(128).optional(),
            metadata: messageMetadata.optional(),
          }),
          result: roomMessage,
        }),
        enter: action({
          summary: 'Whether a session may hear a room, and its name; changes nothing. `id` is null for a mere name',
          access: 'internal',
          entity: 'required',
          result: z.object({ room: z.string(), id: z.string().nullable() }),
          idempotent: true,
        }),
        history: action({
          summary:
            'The newest messages of a room, or of `me`, oldest first, at most 512 KB; `before` is the id of a message',
          access: 'user',
          entity: 'required',
          payload: z.strictObject({
            limit: z.int().min(1).max(100).default(50),
            before: z.string().max(128).optional(),
          }),
          result: z.object({ items: z.array(roomMessage) }),
          idempotent: true,
        }),
      },
    },
  },
  events: {
    rooms: {
      created: event({ summary: 'A room was made', audience: 'named', details }),
      updated: event({
        summary: 'A room was changed; `previousName` where it had another one. Connections in it stay in it',
        audience: 'named',
        details: details.extend({ previousName: z.string().optional() }),
      }),
      deleted: event({ summary: 'A room was deleted', audience: 'named', details }),
    },
  },
});
