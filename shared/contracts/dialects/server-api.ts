import { z } from 'zod';
import { line, timestamp } from '../fields.ts';
import { messageMetadata } from '../rooms.contract.ts';
import { anyObject, dialect, ofRoom, requestId, userId } from './dialect.ts';

const joined = z.object({ success: z.literal(true), room: z.string() });
const answered = { success: z.literal(true), requestId: z.string() };

/** Of a command without an entity they are its payload; else they name both, and nothing beside. */
const actionParams = z
  .looseObject({ entity: z.union([z.string(), z.int()]).optional(), payload: anyObject.optional() })
  .refine((params) => {
    const named = ['entity', 'payload'].filter((key) => Object.hasOwn(params, key));
    return named.length === 0 || named.length === Object.keys(params).length;
  }, 'entity and payload take no key beside them');

/** The server API: `register` first, then events, messages and actions; errors come on `error`. */
export const serverApi = dialect({
  dialect: 'serverApi',
  summary: 'Server API',
  receives: {
    register: {
      summary: 'Register; the user id must be that of the token',
      payload: z.strictObject({ userId }),
      answer: 'register:ack',
    },
    'client:event': {
      summary: 'Hand an event to the services; answered when it is stored',
      payload: z.strictObject({ type: line(128), data: anyObject.optional(), requestId: requestId.optional() }),
      answer: 'server:response',
    },
    'client:message': {
      summary: 'Store a message: with `metadata.room` in that room, without in the own history (rooms history of `me`)',
      payload: z.strictObject({
        content: z.string().min(1),
        type: line(128).optional(),
        metadata: messageMetadata.optional(),
        requestId: requestId.optional(),
      }),
      answer: 'message:ack',
    },
    'client:action': {
      summary:
        'Run a command: `action` is `<module>.<command>`, `params` its payload, or {entity, payload} where it has one of these keys',
      payload: z.strictObject({
        action: line(129),
        params: actionParams.optional(),
        requestId: requestId.optional(),
      }),
      answer: 'action:result',
    },
    'room:join': { summary: 'Join a room', payload: ofRoom, answer: 'room:join:ack' },
    'room:leave': { summary: 'Leave a room', payload: ofRoom, answer: 'room:leave:ack' },
  },
  sends: {
    'register:ack': {
      summary: 'Answer of register',
      data: z.union([
        z.object({ success: z.literal(true), userId: z.string() }),
        z.object({ success: z.literal(false), error: z.string() }),
      ]),
    },
    'server:response': {
      summary: 'Answer of client:event: the event was stored',
      data: z.object({ ...answered, data: z.object({ eventId: z.string(), timestamp }) }),
    },
    'message:ack': {
      summary: 'Answer of client:message: it was stored',
      data: z.object({ ...answered, messageId: z.string() }),
    },
    'action:result': {
      summary: 'Answer of client:action: what the command answers',
      data: z.object({ ...answered, result: z.unknown() }),
    },
    'room:join:ack': { summary: 'Answer of room:join', data: joined },
    'room:leave:ack': { summary: 'Answer of room:leave', data: joined },
    error: {
      summary: 'What failed; `requestId` and `retryAfter` (seconds) where there are any',
      data: z.object({
        event: z.string(),
        message: z.string(),
        code: z.string(),
        requestId: z.string().optional(),
        retryAfter: z.number().optional(),
      }),
    },
    'system:welcome': {
      summary: 'Sent to every new connection',
      data: z.object({
        message: z.string(),
        socketId: z.string(),
        timestamp,
        serverInfo: z.object({ version: z.string(), environment: z.string() }),
      }),
    },
    'system:notification': {
      summary: 'A notification for a user, sent by the push API',
      data: z.object({
        title: z.string(),
        message: z.string(),
        type: z.enum(['info', 'warning', 'error']),
        timestamp,
      }),
    },
    'system:reconnect_status': {
      summary: 'The connection is about to end: reconnect after `delay` ms',
      data: z.object({ attempt: z.int(), delay: z.int(), timestamp }),
    },
    'system:state_recovered': {
      summary: 'Rooms and missed messages are back; sent after them',
      data: z.object({ userId: z.string(), timestamp }),
    },
    'system:state_recovery_failed': {
      summary: 'The connection begins anew: no rooms, messages may be missing',
      data: z.object({ message: z.string(), timestamp }),
    },
  },
});
