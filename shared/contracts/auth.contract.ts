import { z } from 'zod';
import { line, listQuery, listResult, recordFields, role, timestamp } from './fields.ts';
import { action, service } from './kernel.ts';
import { userRecord } from './users.contract.ts';

const apiKeyRecord = z.object({
  ...recordFields,
  name: z.string(),
  roles: z.array(role),
  requireSignature: z.boolean(),
});

/** What a gateway needs to know of a user or key to let a request in; never leaves the cluster. */
const grant = z.object({
  id: z.string(),
  username: z.string(),
  email: z.string().nullable(),
  roles: z.array(role),
  tokenVersion: z.int(),
});

export const authContract = service({
  service: 'auth',
  modules: {
    auth: {
      summary: 'Log in, who am I, log out',
      actions: {
        create: action({
          summary: 'Log in with user name and password',
          access: 'anyone',
          payload: z.strictObject({ username: z.string().min(1).max(255), password: z.string().min(1).max(255) }),
          result: z.object({ bearer: z.string(), expiration: timestamp, user: userRecord }),
          bulkhead: { concurrency: 4, maxQueueSize: 64 },
        }),
        read: action({ summary: 'Who am I', access: 'user', result: userRecord, idempotent: true }),
        delete: action({
          summary: 'Log out: revokes every token of the user',
          access: 'user',
          result: null,
          idempotent: true,
        }),
        session: action({
          summary: 'What a gateway must know of a user to accept a token; NOT_FOUND where the user may not log in',
          access: 'internal',
          entity: 'required',
          result: grant,
          errors: ['NOT_FOUND'],
          idempotent: true,
        }),
      },
    },
    'api-keys': {
      summary: 'Keys for machines; a key acts with the roles it was given',
      actions: {
        list: action({
          summary: 'List API keys, without the keys themselves',
          access: 'admin',
          payload: listQuery(['createdAt', 'name']),
          result: listResult(apiKeyRecord),
          idempotent: true,
        }),
        create: action({
          summary: 'Make an API key; `key` is shown this once',
          access: 'admin',
          payload: z.strictObject({
            name: line(128),
            roles: z.array(role).min(1).max(2).default(['user']),
            requireSignature: z.boolean().default(false),
          }),
          result: apiKeyRecord.extend({ key: z.string() }),
        }),
        delete: action({
          summary: 'Delete an API key; it is refused from then on',
          access: 'admin',
          entity: 'required',
          result: null,
          errors: ['NOT_FOUND'],
        }),
        verify: action({
          summary: 'The grant behind the hash of a presented key; NOT_FOUND where there is none',
          access: 'internal',
          entity: 'required',
          result: z.object({ id: z.string(), name: z.string(), roles: z.array(role), requireSignature: z.boolean() }),
          errors: ['NOT_FOUND'],
          idempotent: true,
        }),
        known: action({
          summary: 'Those of these keys that there are',
          access: 'internal',
          payload: z.strictObject({ ids: z.array(z.string().max(256)).min(1).max(200) }),
          result: z.object({ ids: z.array(z.string()) }),
          idempotent: true,
        }),
      },
    },
  },
});
