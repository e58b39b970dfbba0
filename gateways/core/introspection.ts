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

/**
 * Asks another backend whether a token is good: POST {token}. Slow, broken, redirecting or not 200 is refused.
 * A good answer is believed for five seconds, a bad one not at all; who asks meanwhile gets the same one.
 */
export function introspector(url: string): (token: string) => Promise<Principal> {
  const known = new LRUCache<string, Principal>({ max: 10_000, ttl: believedMs });
  const asked = new Map<string, Promise<Principal>>();
  const askOnce = (token: string): Promise<Principal> => {
    const waiting = asked.get(token);
    if (waiting) return waiting;
    const question = ask(url, token).finally(() => asked.delete(token));
    asked.set(token, question);
    return question;
  };
  return async (token) => {
    const principal = known.get(token) ?? (await askOnce(token));
    if ((principal.expires ?? Number.POSITIVE_INFINITY) <= Date.now() / 1_000) throw refused();
    known.set(token, principal, { ttl: known.getRemainingTTL(token) || believedMs });
    return principal;
  };
}

const refused = () => new Failure('UNAUTHORIZED', 'The token was not accepted');

async function ask(url: string, token: string): Promise<Principal> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token }),
      redirect: 'error',
      signal: AbortSignal.timeout(limitMs),
    });
    if (response.status !== 200) throw refused();
    const answer = answerSchema.parse(JSON.parse(await readBounded(response)));
    const id = answer.userId ?? answer.sub;
    if (!answer.active || id === undefined) throw refused();
    return externalPrincipal(String(id), answer, answer.exp);
  } catch {
    throw refused();
  }
}

/** @throws Failure where it is longer than such an answer is */
async function readBounded({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of (body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > maxAnswerBytes) throw refused();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
