import type { Log } from '../../shared/runtime/log.ts';
import type { Principal } from '../../shared/runtime/principal.ts';
import type { Introspection } from './introspection.ts';
import { shownOf } from './revocation.ts';

/** Milliseconds between questions about each token of an open session: revoked, it has ended within 2 s. */
const everyMs = 1_000;
/** Questions that run at a time. With more tokens than are answered in a second, each is asked about less often. */
const atATime = 10;
/** Milliseconds for which sessions stay while nobody says whether their tokens are good. */
const patienceMs = 60_000;

export interface IntrospectionWatchDeps {
  again: Introspection['again'];
  /** Of every open session of this process. */
  held(): Iterable<Principal>;
  /** The sessions for whose principals `which` holds must end. */
  ended(userId: string, which: (principal: Principal) => boolean): void;
  /** The user has other roles, or another name or address. */
  changed(userId: string): void;
  log: Log;
}

interface Vouched {
  principal: Principal;
  /** Milliseconds of the first question of those that got no answer since the last that did. */
  unansweredSince?: number | undefined;
}

/**
 * Sessions that were let in because another backend vouched for their tokens: nobody tells when it no longer does, so it
 * is asked again and again, once per token however many sessions came with it.
 */
export class IntrospectionWatch {
  readonly #deps: IntrospectionWatchDeps;
  readonly #tokens = new WeakMap<Principal, string>();
  /** Of the sessions that are open, by token. */
  #vouched = new Map<string, Vouched>();
  /** Milliseconds at which the backend answered anything, or nothing was to be asked. */
  #answeredAt = performance.now();
  #asking = false;

  constructor(deps: IntrospectionWatchDeps) {
    this.#deps = deps;
    setInterval(() => this.#tick(), everyMs).unref();
  }

  /** Told of each principal that a token was good for. */
  issued(principal: Principal, token: string): Principal {
    this.#tokens.set(principal, token);
    return principal;
  }

  #tick(): void {
    this.#look();
    if (this.#vouched.size === 0) this.#answeredAt = performance.now();
    else if (isTooLong(this.#answeredAt)) for (const token of [...this.#vouched.keys()]) this.#end(token);
    if (this.#asking) return;
    this.#asking = true;
    void this.#askAll().finally(() => {
      this.#asking = false;
    });
  }

  #look(): void {
    const open = new Map<string, Vouched>();
    for (const principal of this.#deps.held()) {
      const token = this.#tokens.get(principal);
      if (token === undefined || open.has(token)) continue;
      open.set(token, this.#vouched.get(token) ?? { principal });
    }
    this.#vouched = open;
  }

  async #askAll(): Promise<void> {
    const tokens = [...this.#vouched.keys()].values();
    const work = async () => {
      for (const token of tokens) await this.#ask(token);
    };
    await Promise.all(Array.from({ length: atATime }, work));
  }

  async #ask(token: string): Promise<void> {
    const vouched = this.#vouched.get(token);
    if (!vouched) return;
    try {
      const principal = await this.#deps.again(token);
      this.#answeredAt = performance.now();
      vouched.unansweredSince = undefined;
      if (principal?.id === vouched.principal.id) this.#compare(this.issued(principal, token), vouched);
      else this.#end(token);
    } catch (error) {
      if (vouched.unansweredSince === undefined) {
        this.#deps.log.warn({ userId: vouched.principal.id, err: error }, 'introspection does not answer');
      }
      vouched.unansweredSince ??= performance.now();
      if (isTooLong(vouched.unansweredSince)) this.#end(token);
    }
  }

  #compare(now: Principal, vouched: Vouched): void {
    const before = vouched.principal;
    vouched.principal = now;
    if (shownOf(now) !== shownOf(before)) this.#deps.changed(now.id);
  }

  #end(token: string): void {
    const userId = this.#vouched.get(token)?.principal.id;
    this.#vouched.delete(token);
    if (userId !== undefined) this.#deps.ended(userId, (principal) => this.#tokens.get(principal) === token);
  }
}

const isTooLong = (since: number) => performance.now() - since >= patienceMs;
