import { z } from 'zod';
import { line, listQuery, listResult, recordFields } from './fields.ts';
import { action, event, service } from './kernel.ts';

export const credentialsRecord = z.object({
  ...recordFields,
  description: z.string(),
  /** Hex SHA-256 of the OAuth client id; unique. */
  checksum: z.string(),
  /** Only whether there are tokens: null, or the word `stored`. The tokens themselves never leave. */
  tokens: z.literal('stored').nullable(),
});

const secret = z.string().min(1).max(512);
const project = z.string().min(1).max(255).nullable();
const changed = z.object({ description: z.string() });

export const credentialsContract = service({
  service: 'credentials',
  modules: {
    credentials: {
      summary: 'Google Device Access credentials; secrets are encrypted at rest and never come back',
      actions: {
        list: action({
          summary: 'List credentials; `search` is part of a description',
          access: 'admin',
          payload: listQuery(['createdAt', 'description']),
          result: listResult(credentialsRecord),
          idempotent: true,
        }),
        create: action({
          summary: 'Store an OAuth client',
          access: 'admin',
          payload: z.strictObject({
            description: line(255),
            oauth_client_id: secret,
            oauth_client_secret: secret,
            dac_project_id: project.default(null),
          }),
          result: credentialsRecord,
          errors: ['CONFLICT'],
        }),
        read: action({
          summary: 'Read credentials',
          access: 'admin',
          entity: 'required',
          result: credentialsRecord,
          errors: ['NOT_FOUND'],
          idempotent: true,
        }),
        update: action({
          summary: 'Change credentials, or, with `origin`, ask for the URL at which Google grants access',
          access: 'admin',
          entity: 'required',
          payload: z.strictObject({
            description: line(255).optional(),
            oauth_client_id: secret.optional(),
            oauth_client_secret: secret.optional(),
            dac_project_id: project.optional(),
            origin: z.url().max(2048).optional(),
          }),
          result: z.union([credentialsRecord, z.object({ url: z.url() })]),
          errors: ['NOT_FOUND', 'CONFLICT'],
        }),
        delete: action({
          summary: 'Delete credentials and the cameras found through them',
          access: 'admin',
          entity: 'required',
          result: null,
          errors: ['NOT_FOUND'],
        }),
      },
    },
  },
  events: {
    credentials: {
      authenticated: event({
        summary: 'Credentials have been authenticated for the first time',
        audience: 'users',
        details: changed,
      }),
      reauthenticated: event({
        summary: 'Credentials have been refreshed with a refresh token',
        audience: 'users',
        details: changed,
      }),
      unauthenticated: event({
        summary: 'Credentials failed to refresh and must be authenticated again',
        audience: 'users',
        details: changed.extend({ error: z.string() }),
      }),
    },
  },
});
