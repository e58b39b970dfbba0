import { z } from 'zod';
import { line, listQuery, listResult, recordFields, role } from './fields.ts';
import { action, event, service } from './kernel.ts';

export const userRecord = z.object({
  ...recordFields,
  username: z.string(),
  email: z.string().nullable(),
  roles: z.array(role),
  can_login: z.boolean(),
});

/** What a session of a user goes by. */
const sessionFields = userRecord
  .pick({ id: true, username: true, email: true, roles: true })
  .extend({ tokenVersion: z.int() });
const username = line(255).min(3);
const password = z.string().min(5).max(255);
const email = z.email().max(254).nullable();
const roles = z.array(role).min(1).max(2);
const details = z.object({ username: z.string() });

export const usersContract = service({
  service: 'users',
  modules: {
    users: {
      summary: 'People who may log in',
      actions: {
        list: action({
          summary: 'List users; `search` is the start of a user name',
          access: 'admin',
          payload: listQuery(['createdAt', 'username']),
          result: listResult(userRecord),
          idempotent: true,
        }),
        create: action({
          summary: 'Create a user',
          access: 'admin',
          payload: z.strictObject({
            username,
            password,
            email: email.default(null),
            roles: roles.default(['user']),
            can_login: z.boolean().default(true),
          }),
          result: userRecord,
          errors: ['CONFLICT'],
          bulkhead: { concurrency: 4, maxQueueSize: 64 },
        }),
        read: action({
          summary: 'Read a user; everyone may read themselves',
          access: 'user',
          entity: 'required',
          result: userRecord,
          errors: ['NOT_FOUND'],
          idempotent: true,
        }),
        update: action({
          summary: 'Change a user; a user changes only the own password and email',
          access: 'user',
          entity: 'required',
          payload: z.strictObject({
            username: username.optional(),
            password: password.optional(),
            email: email.optional(),
            roles: roles.optional(),
            can_login: z.boolean().optional(),
          }),
          result: userRecord,
          errors: ['NOT_FOUND', 'CONFLICT'],
          bulkhead: { concurrency: 4, maxQueueSize: 64 },
        }),
        delete: action({
          summary: 'Delete a user; the last administrator stays',
          access: 'admin',
          entity: 'required',
          result: null,
          errors: ['NOT_FOUND', 'CONFLICT'],
        }),
        authenticate: action({
          summary: 'Check a password; UNAUTHORIZED alike for an unknown user and a wrong one',
          access: 'internal',
          payload: z.strictObject({ username: z.string(), password: z.string() }),
          result: userRecord.extend({ tokenVersion: z.int() }),
        }),
        account: action({
          summary: 'A user with the version its tokens must carry',
          access: 'internal',
          entity: 'required',
          result: userRecord.extend({ tokenVersion: z.int() }),
          errors: ['NOT_FOUND'],
          idempotent: true,
        }),
        versions: action({
          summary: 'Those among these users who may log in, as they are now',
          access: 'internal',
          payload: z.strictObject({ ids: z.array(z.string().max(256)).min(1).max(200) }),
          result: z.object({ users: z.array(sessionFields) }),
          idempotent: true,
        }),
        revoke: action({
          summary: 'Raise the token version: every token of the user ends',
          access: 'internal',
          entity: 'required',
          result: null,
          errors: ['NOT_FOUND'],
          idempotent: true,
        }),
      },
    },
  },
  events: {
    users: {
      created: event({ summary: 'A user was created', audience: 'admins', details }),
      updated: event({ summary: 'A user was changed', audience: 'admins', details }),
      deleted: event({ summary: 'A user was deleted', audience: 'admins', details }),
    },
  },
});
