import moleculer, { type ActionSchema, type Context } from 'moleculer';
import type { z } from 'zod';
import { type ErrorDetail, Failure } from '../contracts/index.ts';

const maxDetails = 20;

/** What a client reads about a payload that does not fit its schema; values are never repeated. */
export function invalidRequest(error: z.ZodError): Failure {
  const details: ErrorDetail[] = error.issues.slice(0, maxDetails).map((issue) => ({
    message: issue.message,
    path: [
      ...issue.path.slice(0, 8).map((part) => (typeof part === 'number' ? part : String(part).slice(0, 64))),
      ...(issue.code === 'unrecognized_keys' ? issue.keys.slice(0, 1).map((key) => key.slice(0, 64)) : []),
    ],
  }));
  const [first] = details;
  const sentence = first ? `${first.path.join('.') || 'request'}: ${first.message}` : undefined;
  return new Failure('INVALID_REQUEST', sentence?.slice(0, 500), { details });
}

type Handler = (ctx: Context) => Promise<unknown>;

/**
 * Validates with zod. A schema sits behind a function, because Moleculer deep-clones action definitions and a cloned
 * zod schema throws; the stock validator takes such a function for "no rules", so the broker is refused without ours.
 */
export class ContractValidator extends moleculer.Validators.Fastest {
  // biome-ignore lint/suspicious/noExplicitAny: the type of Moleculer's middleware object
  override middleware(broker?: any): any {
    const stock = super.middleware(broker);
    return {
      ...stock,
      name: 'ContractValidator',
      localAction: (handler: Handler, action: ActionSchema) => {
        const thunk = action.params as unknown;
        if (typeof thunk !== 'function') return stock.localAction(handler, action);
        const schema = thunk() as z.ZodObject;
        return function parseParams(ctx: Context) {
          const parsed = schema.safeParse(ctx.params);
          if (!parsed.success) return Promise.reject(invalidRequest(parsed.error));
          ctx.params = parsed.data;
          return handler(ctx);
        };
      },
    };
  }
}
