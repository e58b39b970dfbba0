import { z } from 'zod';
import { action, service } from './kernel.ts';

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
});
