import { z } from 'zod';
import { jsonValue, timestamp } from '../fields.ts';
import { roomName } from '../rooms.contract.ts';
import { dialect, ofRoom, userFields, userId } from './dialect.ts';

const entered = z.object({ user: userFields, room: z.string(), timestamp });
const present = z.object({ user: userFields, timestamp });

/** The rooms guide: rooms, messages and who is there; errors come on `exception`. */
export const roomsGuide = dialect({
  dialect: 'roomsGuide',
  summary: 'Rooms guide',
  receives: {
    join_room: { summary: 'Join a room', payload: ofRoom, answer: 'user_joined' },
    leave_room: { summary: 'Leave a room', payload: ofRoom, answer: 'user_left' },
    send_message: {
      summary: 'Send to a room (which stores it), to a user, or, with neither, to everybody',
      payload: z.strictObject({ room: roomName.optional(), to: userId.optional(), message: jsonValue }),
    },
    get_online_users: {
      summary: 'Who is online: at most 1,000 users, `count` is all of them',
      payload: z.strictObject({}),
      answer: 'online_users',
    },
    ping: {
      summary: 'Answered with `pong`, or, where an acknowledgement is asked for, by that alone, without data',
      payload: z.strictObject({ timestamp: z.number().optional() }),
      answer: 'pong',
    },
    admin_broadcast: {
      summary: 'Announce something to everybody; administrators only',
      payload: z.strictObject({ message: jsonValue }),
    },
  },
  sends: {
    user_joined: { summary: 'To a room: somebody joined it', data: entered },
    user_left: { summary: 'To a room, and to who leaves: somebody left it', data: entered },
    user_online: { summary: 'The first session of a user began', data: present },
    user_offline: { summary: 'The last session of a user ended', data: present },
    new_message: {
      summary: 'A message to a room, to a user (`to`) or to everybody; the sender of a room message gets it too',
      data: z.object({
        id: z.string(),
        from: userFields,
        message: jsonValue,
        room: z.string().optional(),
        to: z.string().optional(),
        type: z.string().optional(),
        metadata: z.record(z.string(), z.unknown()).optional(),
        timestamp,
      }),
    },
    online_users: {
      summary: 'Answer of get_online_users',
      data: z.object({ users: z.array(userFields), count: z.int() }),
    },
    pong: { summary: 'Answer of ping', data: present },
    notification: { summary: 'A notification, sent by the push API' },
    admin_announcement: {
      summary: 'An administrator announces something',
      data: z.object({ message: jsonValue, from: userFields, timestamp }),
    },
    exception: {
      summary: 'What failed; `retryAfter` (seconds) where there is any',
      data: z.object({
        status: z.literal('error'),
        event: z.string(),
        message: z.string(),
        code: z.string(),
        retryAfter: z.number().optional(),
      }),
    },
  },
});
