import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { Failure } from '../../shared/contracts/index.ts';
import type { Principal } from '../../shared/runtime/principal.ts';
import { externalPrincipal } from './external-principal.ts';

const answerSchema = z.object({
  active: z.boolean(),
  userId: z.union([z.string(), z.number()]).optional(),
  sub: z.union([z.string(), z.number()]).optional(),
  roles: z.array(z.string()).max(100).optional(),
  username: z.string().max(255).optional(),
  email: z.string().max(255).optional(),
  exp: z.number().optional(),
});

const limitMs = 2_000;
const believedMs = 5_000;
const maxAnswerBytes = 65_536;

export interface Introspection {
  /** A good answer is believed for five seconds, a bad one not at all. @throws Failure UNAUTHORIZED, also where no answer comes */
  bearer(token: string): Promise<Principal>;
  /** Asks again, whatever is believed: undefined where the token is no longer good. @throws Error where no answer comes */
  again(token: string): Promise<Principal | undefined>;
}

/**
 * Asks another backend whether a token is good: POST {token}. Slow, broken, redirecting or not 200 is no answer. Who asks
 * about a token while somebody waits for the answer gets the same one.
 */
export function introspection(url: string): Introspection {
  const known = new LRUCache<string, Principal>({ max: 10_000, ttl: believedMs });
  const asked = new Map<string, Promise<Principal | undefined>>();
  const askOnce = (token: string): Promise<Principal | undefined> => {
    const waiting = asked.get(token);
    if (waiting) return waiting;
    const question = ask(url, token)
      .then((principal) => {
        if (principal) known.set(token, principal);
        else known.delete(token);
        return principal;
      })
      .finally(() => asked.delete(token));
    asked.set(token, question);
    return question;
  };
  return {
    async bearer(token) {
      const principal = known.get(token) ?? (await askOnce(token).catch(() => undefined));
      if (!principal || isOver(principal)) throw new Failure('UNAUTHORIZED', 'The token was not accepted');
      return principal;
    },
    again: askOnce,
  };
}

const isOver = ({ expires = Number.POSITIVE_INFINITY }: Principal) => expires <= Date.now() / 1_000;

async function ask(url: string, token: string): Promise<Principal | undefined> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ token }),
    redirect: 'error',
    signal: AbortSignal.timeout(limitMs),
  });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`introspection answered ${response.status}`);
  }
  const answer = answerSchema.parse(JSON.parse(await readBounded(response)));
  const id = answer.userId ?? answer.sub;
  if (!answer.active || id === undefined) return undefined;
  const principal = externalPrincipal(String(id), answer, answer.exp);
  return isOver(principal) ? undefined : principal;
}

/** @throws Error where it is longer than such an answer is */
async function readBounded({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of (body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > maxAnswerBytes) throw new Error('the answer of introspection is too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
