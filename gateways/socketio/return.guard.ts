import { LRUCache } from 'lru-cache';
import type { Call } from '../../shared/contracts/index.ts';
import type { EventEnvelope } from '../../shared/fanout/bus.ts';
import type { Principal } from '../../shared/runtime/principal.ts';
import { lostRoles } from './events.ts';
import { askAll, reached } from './reached.ts';
import { recoveryMs } from './recovery.adapter.ts';
import { newestName } from './renames.ts';
import { roomNames } from './rooms.ts';

const maxNames = 10_000;
/** Rooms that are asked about for one connection; who was in more begins anew. */
const maxAsked = 200;

/**
 * Whether whoever comes back may still be in the rooms that it was in. Asked are those that were made private or got
 * another name while it may have been away; by a gateway that has not been there for so long, all. Who has lost a role
 * begins anew: that may have let it in anywhere.
 */
export class ReturnGuard {
  readonly #callAs: (principal: Principal) => Call;
  readonly #startedAt = Date.now();
  /** What such rooms are called now, by the names that sessions may know. */
  readonly #names = new LRUCache<string, string>({ max: maxNames, ttl: recoveryMs + 30_000, perf: Date });

  constructor(callAs: (principal: Principal) => Call) {
    this.#callAs = callAs;
  }

  heard({ body }: EventEnvelope): void {
    const { name, previousName, private: isPrivate } = body.details as Record<string, unknown>;
    if (body.domain !== 'rooms' || typeof name !== 'string') return;
    if (typeof previousName === 'string') this.#names.set(previousName, name);
    // Last: a room that gets back a name that it had is not one that is called otherwise.
    if (isPrivate === true) this.#names.set(name, name);
    else this.#names.delete(name);
  }

  /** @param rooms the Socket.IO rooms of its socket @throws Failure where nobody can say */
  async mayReturn(principal: Principal, rooms: Iterable<string>): Promise<boolean> {
    const had = [...rooms];
    if (lostRoles(had, principal).length > 0) return false;
    const names = roomNames(had);
    const asked = this.#knowsAll ? names.filter((name) => this.#names.has(name)) : names;
    if (asked.length > maxAsked) return false;
    const call = this.#callAs(principal);
    await askAll(asked, (name) => reached(() => call('rooms.enter', { entity: newestName(this.#names, name) })));
    return true;
  }

  get #knowsAll(): boolean {
    return Date.now() - this.#startedAt > recoveryMs && this.#names.size < maxNames;
  }
}
