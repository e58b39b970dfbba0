import type { Principal } from '../../shared/runtime/principal.ts';
import { Changes } from './changes.ts';

/** Users asked after in one call, and calls that run at a time: one. */
const perCall = 200;
/** Milliseconds between checks of everybody, which find what no notice told. */
const defaultCheckEveryMs = 30_000;
const maxAttempts = 30;
const maxPauseMs = 2_000;

export interface RevocationDeps {
  /** The token version of each of these users who may log in. */
  versionsOf(userIds: string[]): Promise<ReadonlyMap<string, number>>;
  checkEveryMs?: number;
}

interface Issued {
  tokenVersion: number;
  mark: number;
}

/**
 * Who was let in with a token and must end when it does. Notices tell that at once; as a notice can be lost, the
 * sessions of this process are checked again, in batches, after every gap of the bus and every half minute.
 */
export class Revocation {
  readonly #deps: RevocationDeps;
  readonly #revoked = new Changes();
  readonly #issued = new WeakMap<Principal, Issued>();
  readonly #handlers: ((userId: string) => void)[] = [];
  readonly #holders: (() => Iterable<Principal>)[] = [];
  #checking = false;
  #again = false;

  constructor(deps: RevocationDeps) {
    this.#deps = deps;
    setInterval(() => this.check(), deps.checkEveryMs ?? defaultCheckEveryMs).unref();
  }

  onRevoked(handler: (userId: string) => void): void {
    this.#handlers.push(handler);
  }

  /** Where the principals of open sessions are found. */
  holds(holder: () => Iterable<Principal>): void {
    this.#holders.push(holder);
  }

  issued(principal: Principal, tokenVersion: number): Principal {
    this.#issued.set(principal, { tokenVersion, mark: this.#revoked.mark() });
    return principal;
  }

  wasRevoked(principal: Principal): boolean {
    const issued = this.#issued.get(principal);
    return issued !== undefined && this.#revoked.since(issued.mark, principal.id);
  }

  revoke(userId: string): void {
    this.#revoked.note(userId);
    for (const handler of this.#handlers) handler(userId);
  }

  /** Looks after every session that is open now; at once where no check runs, else after that one. */
  check(): void {
    this.#again = true;
    if (this.#checking) return;
    this.#checking = true;
    void this.#checkAll().finally(() => {
      this.#checking = false;
    });
  }

  async #checkAll(): Promise<void> {
    while (this.#again) {
      this.#again = false;
      const held = this.#held();
      const ids = [...held.keys()];
      for (let at = 0; at < ids.length && !this.#again; at += perCall) {
        await this.#checkBatch(ids.slice(at, at + perCall), held);
      }
    }
  }

  /** The oldest token version among the sessions of each user. */
  #held(): Map<string, number> {
    const held = new Map<string, number>();
    for (const holder of this.#holders) {
      for (const principal of holder()) {
        const issued = this.#issued.get(principal);
        if (!issued) continue;
        held.set(principal.id, Math.min(issued.tokenVersion, held.get(principal.id) ?? Number.POSITIVE_INFINITY));
      }
    }
    return held;
  }

  async #checkBatch(ids: string[], held: ReadonlyMap<string, number>): Promise<void> {
    const versions = await this.#ask(ids);
    if (!versions) return;
    for (const id of ids) {
      // A session may be of a newer token than the answer knows of: versions only grow.
      const ended = (held.get(id) ?? 0) < (versions.get(id) ?? Number.POSITIVE_INFINITY);
      if (ended) this.revoke(id);
    }
  }

  /** Tried again for a while: after a gap the services may not be found yet. Undefined where nobody answers. */
  async #ask(ids: string[]): Promise<ReadonlyMap<string, number> | undefined> {
    for (let attempt = 1; attempt <= maxAttempts; attempt += 1) {
      try {
        return await this.#deps.versionsOf(ids);
      } catch {
        await pause(Math.min(100 * attempt, maxPauseMs));
      }
    }
    return undefined;
  }
}

const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
