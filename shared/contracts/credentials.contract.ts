import { z } from 'zod';
import { synced } from './cameras.contract.ts';
import { deviceName, line, listQuery, listResult, recordFields } from './fields.ts';
import { action, event, pageResult, service } from './kernel.ts';
import { rekeyAction } from './rekey.ts';

export const credentialsRecord = z.object({
  ...recordFields,
  description: z.string(),
  /** Hex SHA-256 of the OAuth client id; unique. */
  checksum: z.string(),
  /** Only whether there are tokens: null, or the word `stored`. The tokens themselves never leave. */
  tokens: z.literal('stored').nullable(),
  /** `projects/<project>/subscriptions/<name>`: where events of cameras are pulled from; null: nowhere. */
  pubsub_subscription: z.string().nullable(),
});

const secret = z.string().min(1).max(512);
const project = z.string().min(1).max(255).nullable();
const subscription = z
  .string()
  .max(512)
  .regex(
    /^projects\/[a-z0-9][\w.:~-]*\/subscriptions\/[A-Za-z][\w.~+%-]{2,254}$/,
    'projects/<project>/subscriptions/<name>',
  )
  .nullable();
const changed = z.object({ description: z.string() });

/**
 * Why Google did not run a command:
 * `rate-limited` — Google's limits, or those kept here so that Google's are never met;
 * `busy` — the camera is off, not ready or in use: slow back-off;
 * `unsupported` — this device has no such command (a doorbell's extension, the other protocol family): never again as it is;
 * `invalid` — the parameters were refused, such as an offer;
 * `gone` — Google does not know the device;
 * `unauthorized` — no grant, or it does not cover the device: somebody must authorise again;
 * `unavailable` — Google, the camera or the network: back-off;
 * `session-lost` — the session to extend or stop is over: generate a new one.
 */
export const refusalReasons = [
  'rate-limited',
  'busy',
  'unsupported',
  'invalid',
  'gone',
  'unauthorized',
  'unavailable',
  'session-lost',
] as const;

/** A refusal is an answer, not an error: it says nothing against the service that passes it on. */
const commandResult = z.discriminatedUnion('ok', [
  z.object({ ok: z.literal(true), results: z.record(z.string(), z.unknown()) }),
  z.object({
    ok: z.literal(false),
    reason: z.enum(refusalReasons),
    message: z.string(),
    /** Milliseconds before which it is not worth trying again; null where Google says nothing about it. */
    retryAfterMs: z.int().min(0).nullable(),
  }),
]);

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
            pubsub_subscription: subscription.default(null),
          }),
          result: credentialsRecord,
          errors: ['CONFLICT'],
        }),
        read: action({
          summary:
            'Read credentials; or, where the entity is base64 of the JSON of what Google redirected back with ({state, code, scope, origin}), finish the authorisation',
          access: 'admin',
          entity: 'required',
          longEntity: true,
          result: z.union([credentialsRecord, z.object({ success: z.literal(true) })]),
          errors: ['NOT_FOUND', 'CONFLICT'],
          // A call is sent again only where it reached no service: a state is used once.
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
            pubsub_subscription: subscription.optional(),
            origin: z.url().max(2048).optional(),
          }),
          result: z.union([credentialsRecord, z.object({ url: z.url() })]),
          errors: ['NOT_FOUND', 'CONFLICT'],
        }),
        sync: action({
          summary: 'List the devices that Google shares now, and bring the cameras to it',
          access: 'admin',
          entity: 'required',
          result: synced.extend({ devices: z.int() }),
          errors: ['NOT_FOUND', 'CONFLICT'],
        }),
        rekey: rekeyAction('credentials'),
        command: action({
          summary: 'Run a command of a Google device, within the limits Google sets',
          access: 'internal',
          entity: 'required',
          payload: z.strictObject({
            device: deviceName,
            /** Without its prefix: `CameraLiveStream.GenerateRtspStream`. */
            command: z.string().regex(/^[A-Z]\w{1,63}\.[A-Z]\w{1,63}$/),
            params: z.record(z.string(), z.unknown()),
          }),
          result: commandResult,
          errors: ['NOT_FOUND'],
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
    cronjobs: {
      summary: "NestMTX's scheduled jobs, as far as its clients start one",
      actions: {
        list: action({
          summary: 'List jobs; `search` is part of a name',
          access: 'admin',
          payload: listQuery(['name']),
          result: listResult(z.object({ name: z.string(), crontab: z.string() })),
          idempotent: true,
        }),
        update: action({
          summary: 'Run `SyncCloudCamerasJob` now: `credentials.sync` of all that are authorised',
          access: 'admin',
          entity: 'required',
          result: z.object({}),
          errors: ['NOT_FOUND', 'CONFLICT'],
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

/** Where Google sends the browser back to; what was asked for is in the state, which only Trigate can make. */
export const authorizeContract = service({
  service: 'credentials',
  modules: {
    google: {
      summary: 'Where Google sends users back to',
      actions: {
        authorize: action({
          summary: 'Finish the authorisation of credentials',
          access: 'anyone',
          // Google adds keys as it likes.
          payload: z.object({
            state: z.string().max(2_048).optional(),
            code: z.string().max(2_048).optional(),
            error: z.string().max(255).optional(),
          }),
          result: pageResult,
          errors: ['NOT_FOUND', 'CONFLICT'],
          http: { method: 'GET', path: '/credentials/authorize', page: true },
        }),
      },
    },
  },
});
