import { z } from 'zod';
import { action, service } from '../../../shared/contracts/kernel.ts';

/** A service made for the tests of calls between processes. */
export const labContract = service({
  service: 'lab',
  modules: {
    lab: {
      summary: 'Faults on demand',
      actions: {
        read: action({
          summary: 'Its name',
          access: 'anyone',
          entity: 'required',
          result: z.string(),
          idempotent: true,
        }),
        create: action({
          summary: 'Its name, not idempotent',
          access: 'anyone',
          payload: z.strictObject({ name: z.string() }),
          result: z.object({ name: z.string() }),
        }),
        list: action({
          summary: 'So many letters',
          access: 'anyone',
          payload: z.strictObject({ letters: z.int() }),
          result: z.object({ letters: z.string() }),
        }),
        hang: action({ summary: 'Never answers', access: 'anyone', result: z.null() }),
        break: action({ summary: 'Fails unexpectedly', access: 'anyone', result: z.null() }),
        narrow: action({
          summary: 'One at a time, one waits',
          access: 'anyone',
          result: z.null(),
          bulkhead: { concurrency: 1, maxQueueSize: 1 },
        }),
      },
    },
  },
});
