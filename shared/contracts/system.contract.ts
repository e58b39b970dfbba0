import { z } from 'zod';
import { timestamp } from './fields.ts';
import { action, event, service } from './kernel.ts';

const from = z.object({ id: z.string(), username: z.string(), email: z.string().nullable() });
const anything = z.record(z.string(), z.unknown());

/** What a gateway answers out of its own knowledge, without a call to another process. */
export const systemContract = service({
  service: 'system',
  modules: {
    health: {
      summary: 'Whether the services a client needs are there',
      actions: {
        list: action({
          summary: 'healthy, degraded (some service is missing) or unhealthy (nobody can log in)',
          access: 'anyone',
          result: z.object({
            healthy: z.enum(['healthy', 'degraded', 'unhealthy']),
            details: z.record(z.string(), z.object({ healthy: z.boolean() })),
          }),
          idempotent: true,
        }),
      },
    },
    version: {
      summary: 'What runs here',
      actions: {
        list: action({
          summary: 'Release and platform',
          access: 'anyone',
          result: z.object({ release: z.string(), commit: z.string(), platform: z.string(), node: z.string() }),
          idempotent: true,
        }),
      },
    },
    swagger: {
      summary: 'The OpenAPI document',
      actions: {
        list: action({
          summary: 'OpenAPI 3.1 of the HTTP protocol',
          access: 'anyone',
          result: z.record(z.string(), z.unknown()),
          idempotent: true,
        }),
      },
    },
  },
  events: {
    /** What clients hand to the services; the entity is who sent it. */
    client: {
      event: event({
        summary: 'A client sent an event of its own (client:event)',
        audience: 'services',
        details: z.object({ type: z.string(), data: anything, from }),
      }),
      message: event({
        summary: 'A client sent a message to no room (client:message)',
        audience: 'services',
        details: z.object({
          messageId: z.string(),
          content: z.string(),
          type: z.string().optional(),
          metadata: anything.optional(),
          from,
          timestamp,
        }),
      }),
    },
  },
});
