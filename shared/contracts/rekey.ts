import { z } from 'zod';
import { action } from './kernel.ts';

/**
 * The command of a module that keeps sealed texts: seals them anew with the first of ENCRYPTION_KEYS, a hundred records
 * a call. `next` is where to go on, null at the end.
 */
export const rekeyAction = <const M extends string>(module: M) =>
  action({
    summary: 'Seal what other keys sealed with the first encryption key: a hundred records a call',
    access: 'admin',
    payload: z.strictObject({ after: z.string().max(128).default('') }),
    result: z.object({
      /** Records looked at. */
      records: z.int(),
      /** Texts sealed anew. */
      resealed: z.int(),
      /** Texts that no configured key opens: they stay as they are. */
      unreadable: z.int(),
      next: z.string().nullable(),
    }),
    http: { method: 'POST', path: `/api/${module}/rekey` },
    idempotent: true,
  });
