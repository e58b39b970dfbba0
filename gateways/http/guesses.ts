import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { ErrorCode } from '../../shared/contracts/index.ts';
import type { Config } from '../../shared/runtime/config.ts';
import { toFailure } from '../../shared/runtime/failure.ts';
import type { SharedLimit } from '../core/limits.ts';

/** What says that a credential is wrong, and not that nobody could tell. */
const wrong: ReadonlySet<ErrorCode> = new Set([
  'UNAUTHORIZED',
  'INVALID_API_KEY',
  'INVALID_SIGNATURE',
  'REPLAYED_REQUEST',
]);
const maxMet = 50_000;

type Guarded = <T>(address: string | undefined, credential: string | undefined, check: () => Promise<T>) => Promise<T>;

/**
 * Each runs a check of a credential and counts one that is wrong by the address it came from, where that is known.
 * @throws Failure RATE_LIMITED, and what the check throws
 */
export interface Guesses {
  /** After too many wrong ones no other is looked up, but for those that were good here before: an address has many users. */
  readonly key: Guarded;
  /** The same where others have to be asked. Nobody guesses what is signed, so a new one of a neighbour goes through. */
  readonly bearer: Guarded;
}

export function guesses(limit: Pick<SharedLimit, 'look' | 'take'>, config: Pick<Config, 'authStrategy'>): Guesses {
  /** Hashes of credentials that were good the last time. */
  const met = new LRUCache<string, true>({ max: maxMet });

  const counted: Guarded = async (address, credential, check) => {
    if (address === undefined) return check();
    const id = credential && createHash('sha256').update(credential).digest('base64');
    if (id && !met.has(id)) limit.look(address);
    try {
      const found = await check();
      if (id) met.set(id, true);
      return found;
    } catch (error) {
      if (!wrong.has(toFailure(error).type)) throw error;
      if (id) met.delete(id);
      await limit.take(address);
      throw error;
    }
  };
  const isAskedAbout = config.authStrategy === 'introspection';
  return {
    key: counted,
    bearer: (address, token, check) => counted(address, isAskedAbout ? token : undefined, check),
  };
}
