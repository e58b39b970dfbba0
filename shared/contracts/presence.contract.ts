import { z } from 'zod';
import { listQuery, listResult, timestamp } from './fields.ts';
import { action, event, service } from './kernel.ts';

const user = z.object({ id: z.string(), username: z.string(), email: z.string().nullable() });

export const presenceSession = z.object({
  /** Socket id or MQTT client id. */
  id: z.string(),
  protocol: z.enum(['socketio', 'mqtt']),
  gateway: z.string(),
  since: timestamp,
});

export const presenceContract = service({
  service: 'presence',
  modules: {
    presence: {
      summary: 'Who is online, over all gateways',
      actions: {
        list: action({
          summary: 'Users with at least one session; `search` is the start of a user name',
          access: 'user',
          payload: listQuery(['username']),
          result: listResult(user.extend({ sessions: z.int() })),
          idempotent: true,
        }),
        read: action({
          summary: 'The sessions of one user',
          access: 'user',
          entity: 'required',
          result: user.partial({ username: true, email: true }).extend({
            online: z.boolean(),
            sessions: z.array(presenceSession),
          }),
          idempotent: true,
        }),
      },
    },
  },
  events: {
    presence: {
      online: event({ summary: 'The first session of a user began', audience: 'users', details: user }),
      offline: event({ summary: 'The last session of a user ended', audience: 'users', details: user }),
    },
  },
});
