import { Failure } from '../../shared/contracts/index.ts';
import { type Collection, Duplicate } from '../../shared/store/collection.ts';
import { everyOne } from '../../shared/store/every.ts';
import type { Viewing } from './streams.store.ts';
import type { ViewerToken } from './viewer.tokens.ts';

/** Milliseconds a reader may take from being let in to reading. */
const pendingMs = 30_000;
/** Races for the same slot before one gives up. */
const maxTries = 20;

export interface Attempt {
  server: string;
  /** Of the media server; RTSP asks with a connection's id first and with the session's then. */
  session: string;
}

/**
 * Who watches. A user has a number of slots over the whole fleet, each a record whose id can be there once: two readers
 * that ask two processes at the same time cannot get the same one.
 */
export class Viewings {
  readonly #viewings: Collection<Viewing>;
  readonly #limit: number;

  /** @param limit slots per user; 0: no limit */
  constructor(viewings: Collection<Viewing>, limit: number) {
    this.#viewings = viewings;
    this.#limit = limit;
  }

  /** Whether another reader would be let in now; a race is settled when it comes. @throws Failure LIMIT_EXCEEDED */
  async assertFree(viewer: string): Promise<void> {
    if (this.#limit === 0) return;
    const held = await this.#held(viewer);
    if (held.filter(isCurrent).length >= this.#limit) throw limitExceeded(this.#limit);
  }

  /** Reserves a slot, or renews the one this reader got a moment ago. @throws Failure LIMIT_EXCEEDED */
  async reserve(claims: ViewerToken, attempt: Attempt): Promise<void> {
    for (let tries = 0; tries < maxTries; tries += 1) {
      const held = await this.#held(claims.viewer);
      const own = held.find((one) => one.session === attempt.session || (one.token === claims.id && !one.type));
      const done = own ? await this.#renew(own, attempt) : await this.#take(held, claims, attempt);
      if (done) return;
    }
    throw new Failure('UNAVAILABLE', 'Too many readers of one user begin at once');
  }

  /** The reader has begun. */
  async began(session: string, type: string): Promise<void> {
    for (let tries = 0; tries < maxTries; tries += 1) {
      const some = (await this.ofSession(session)).filter((one) => one.type !== type);
      const changed = await Promise.all(some.map((one) => this.#viewings.update(one.id, one.version, { type })));
      if (!changed.includes(null)) return;
    }
  }

  async ended(session: string): Promise<void> {
    await this.#viewings.deleteMany({ session });
  }

  ofSession(session: string): Promise<Viewing[]> {
    return this.#viewings.find({ session }, { limit: 10 });
  }

  ofServer(server: string): Promise<Viewing[]> {
    return everyOne(this.#viewings, { server });
  }

  ofViewer(viewer: string): Promise<Viewing[]> {
    return this.#held(viewer);
  }

  /** Where it is as it was read. */
  async drop({ id, version }: Viewing): Promise<void> {
    await this.#viewings.delete(id, version);
  }

  #held(viewer: string): Promise<Viewing[]> {
    return this.#viewings.find({ viewer }, { limit: 1_000 });
  }

  async #renew({ id, version }: Viewing, { session, server }: Attempt): Promise<boolean> {
    return (await this.#viewings.update(id, version, { session, server, until: until() })) !== null;
  }

  async #take(held: Viewing[], claims: ViewerToken, { server, session }: Attempt): Promise<boolean> {
    const { viewer, id: token, tokenVersion, camera } = claims;
    const stale = held.filter((one) => !isCurrent(one));
    for (const one of stale) await this.drop(one);
    if (this.#limit > 0 && held.length - stale.length >= this.#limit) throw limitExceeded(this.#limit);
    const taken = new Set(held.map(({ id }) => id));
    let slot = 1;
    while (taken.has(slotId(viewer, slot))) slot += 1;
    const record = { id: slotId(viewer, slot), viewer, tokenVersion, token, camera, server, session };
    try {
      await this.#viewings.insert({ ...record, type: null, until: until() });
      return true;
    } catch (error) {
      if (error instanceof Duplicate) return false;
      throw error;
    }
  }
}

const slotId = (viewer: string, slot: number): string => `${viewer}#${slot}`;
const until = (): string => new Date(Date.now() + pendingMs).toISOString();

/** Whether it holds its slot: it reads, or may still begin to. */
export const isCurrent = ({ type, until: bound }: Viewing): boolean =>
  type !== null || bound > new Date().toISOString();

const limitExceeded = (limit: number) =>
  new Failure('LIMIT_EXCEEDED', `A user watches ${limit} streams at a time at most`);
