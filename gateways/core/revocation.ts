import type { Principal } from '../../shared/runtime/principal.ts';
import { Changes } from './changes.ts';
import type { RevokedHandler } from './dispatch.types.ts';
import { OnceMore } from './once.more.ts';
import { pause } from './pause.ts';

/** Users asked after in one call, and calls that run at a time: one. */
const perCall = 200;
/** Milliseconds between checks of everybody, which find what no notice told. */
const defaultCheckEveryMs = 30_000;
const maxAttempts = 30;
const maxPauseMs = 2_000;

/** A user as it is now. */
export interface Account extends Pick<Principal, 'username' | 'email' | 'roles'> {
  tokenVersion: number;
}

export interface RevocationDeps {
  /** Each of these users who may log in. */
  accountsOf(userIds: string[]): Promise<ReadonlyMap<string, Account>>;
  /** A user of an open session has other roles, or another name or address, and no notice told. */
  changed(userId: string): void;
  checkEveryMs?: number;
}

interface Issued {
  tokenVersion: number;
  mark: number;
}

/** The sessions of a user. */
interface Held {
  /** The oldest. */
  tokenVersion: number;
  /** As which they were let in. */
  shown: Set<string>;
}

/**
 * Who was let in with a token and must end when it does. Notices tell that at once, as they tell of other roles; as a
 * notice can be lost, the sessions of this process are checked again, in batches, after every gap of the bus and every
 * half minute.
 */
export class Revocation {
  readonly #deps: RevocationDeps;
  readonly #revoked = new Changes();
  readonly #issued = new WeakMap<Principal, Issued>();
  readonly #handlers: RevokedHandler[] = [];
  readonly #holders: (() => Iterable<Principal>)[] = [];
  readonly #checks = new OnceMore(() => this.#checkAll());

  constructor(deps: RevocationDeps) {
    this.#deps = deps;
    setInterval(() => this.check(), deps.checkEveryMs ?? defaultCheckEveryMs).unref();
  }

  onRevoked(handler: RevokedHandler): void {
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

  /** Undefined where its token has none. */
  tokenVersion(principal: Principal): number | undefined {
    return this.#issued.get(principal)?.tokenVersion;
  }

  wasRevoked(principal: Principal): boolean {
    const issued = this.#issued.get(principal);
    return issued !== undefined && this.#revoked.since(issued.mark, principal.id);
  }

  revoke(userId: string): void {
    this.#revoked.note(userId);
    this.end(userId, () => true);
  }

  /** Ends sessions of a user whose others may stay. */
  end(userId: string, which: (principal: Principal) => boolean): void {
    for (const handler of this.#handlers) handler(userId, which);
  }

  /** Of every session that is open. */
  *open(): Iterable<Principal> {
    for (const holder of this.#holders) yield* holder();
  }

  /** Looks after every session that is open now; at once where no check runs, else after that one. */
  check(): void {
    this.#checks.ask();
  }

  async #checkAll(): Promise<void> {
    const held = this.#held();
    const ids = [...held.keys()];
    for (let at = 0; at < ids.length && !this.#checks.isAsked; at += perCall) {
      await this.#checkBatch(ids.slice(at, at + perCall), held);
    }
  }

  /** By user. */
  #held(): Map<string, Held> {
    const held = new Map<string, Held>();
    for (const principal of this.open()) {
      const issued = this.#issued.get(principal);
      if (!issued) continue;
      const { tokenVersion, shown } = held.get(principal.id) ?? { tokenVersion: issued.tokenVersion, shown: new Set() };
      held.set(principal.id, {
        tokenVersion: Math.min(issued.tokenVersion, tokenVersion),
        shown: shown.add(shownOf(principal)),
      });
    }
    return held;
  }

  async #checkBatch(ids: string[], held: ReadonlyMap<string, Held>): Promise<void> {
    const accounts = await this.#ask(ids);
    if (!accounts) return;
    for (const id of ids) {
      const [account, { tokenVersion, shown }] = [accounts.get(id), held.get(id) as Held];
      // A session may be of a newer token than the answer knows of: versions only grow.
      if (!account || tokenVersion < account.tokenVersion) this.revoke(id);
      else if (shown.size > 1 || !shown.has(shownOf(account))) this.#deps.changed(id);
    }
  }

  /** Tried again for a while: after a gap the services may not be found yet. Undefined where nobody answers. */
  async #ask(ids: string[]): Promise<ReadonlyMap<string, Account> | undefined> {
    for (let attempt = 1; attempt <= maxAttempts; attempt += 1) {
      try {
        return await this.#deps.accountsOf(ids);
      } catch {
        await pause(Math.min(100 * attempt, maxPauseMs));
      }
    }
    return undefined;
  }
}

/** What a change of a user shows in. */
export const shownOf = ({ username, email, roles }: Pick<Principal, 'username' | 'email' | 'roles'>): string =>
  JSON.stringify([username, email, roles]);
