import { Failure } from '../../shared/contracts/index.ts';
import { type Collection, Duplicate } from '../../shared/store/collection.ts';
import { everyOne } from '../../shared/store/every.ts';
import type { Viewing } from './streams.store.ts';
import type { ViewerToken } from './viewer.tokens.ts';

/** Milliseconds a reader may take from being let in to reading. */
const pendingMs = 30_000;
/** Races for the same slot before one gives up. */
const maxTries = 20;
/** Sessions that are remembered beside the one of a slot. */
const maxWaiting = 16;

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

  /**
   * Reserves a slot. Attempts with a token that is not read with yet share one: an RTSP reader asks twice, and whether
   * it is one reader is not to be seen. @throws Failure LIMIT_EXCEEDED
   */
  async reserve(claims: ViewerToken, attempt: Attempt): Promise<void> {
    const { viewer, tokenVersion, id: token, camera } = claims;
    const right = { viewer, tokenVersion, token, camera, ...attempt };
    await this.#inTurn(async () => {
      const held = await this.#held(viewer);
      const own = held.find((one) => isOf(one, attempt.session) || (one.token === token && !one.type));
      return own ? this.#renew(own, attempt) : this.#take(held, right, null);
    });
  }

  /** The reader has begun: it has a slot of its own from now on. @throws Failure LIMIT_EXCEEDED where none is free */
  async began(session: string, type: string): Promise<void> {
    await this.#inTurn(async () => {
      const some = await this.ofSession(session);
      const own = some.find((one) => one.type === null || one.session === session);
      if (own) return own.type === type || this.#occupy(own, session, type);
      const [other] = some;
      if (!other) return true;
      const taken = await this.#take(await this.#held(other.viewer), { ...other, session }, type);
      if (taken) await this.#viewings.remove(other.id, 'waiting', session, 0);
      return taken;
    });
  }

  async ended(session: string): Promise<void> {
    await this.#viewings.deleteMany({ session });
  }

  /** Those it has, or may get as it was let in. */
  ofSession(session: string): Promise<Viewing[]> {
    return this.#viewings.find({ $or: [{ session }, { waiting: session }] }, { limit: 10 });
  }

  ofServer(server: string): Promise<Viewing[]> {
    return everyOne(this.#viewings, { server });
  }

  all(): Promise<Viewing[]> {
    return everyOne(this.#viewings);
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

  /** Until nobody else was faster. */
  async #inTurn(attempt: () => Promise<boolean>): Promise<void> {
    for (let tries = 0; tries < maxTries; tries += 1) if (await attempt()) return;
    throw new Failure('UNAVAILABLE', 'Too many readers of one user begin at once');
  }

  async #renew(own: Viewing, { session, server }: Attempt): Promise<boolean> {
    const patch = own.type === null ? { session, server, waiting: without(own, session) } : {};
    return (await this.#viewings.update(own.id, own.version, { ...patch, until: until() })) !== null;
  }

  async #occupy(own: Viewing, session: string, type: string): Promise<boolean> {
    const patch = { session, type, waiting: without(own, session) };
    return (await this.#viewings.update(own.id, own.version, patch)) !== null;
  }

  async #take(held: Viewing[], right: Right, type: string | null): Promise<boolean> {
    const { viewer, tokenVersion, token, camera, server, session } = right;
    const stale = held.filter((one) => !isCurrent(one));
    for (const one of stale) await this.drop(one);
    if (this.#limit > 0 && held.length - stale.length >= this.#limit) throw limitExceeded(this.#limit);
    const taken = new Set(held.map(({ id }) => id));
    let slot = 1;
    while (taken.has(slotId(viewer, slot))) slot += 1;
    const record = { id: slotId(viewer, slot), viewer, tokenVersion, token, camera, server, session };
    try {
      await this.#viewings.insert({ ...record, waiting: [], type, until: until() });
      return true;
    } catch (error) {
      if (error instanceof Duplicate) return false;
      throw error;
    }
  }
}

type Right = Pick<Viewing, 'viewer' | 'tokenVersion' | 'token' | 'camera' | 'server' | 'session'>;

/** Records of before this was written down have none that wait. */
export const sessionsOf = ({ session, waiting = [] }: Viewing): string[] => [...waiting, session];
const isOf = (one: Viewing, session: string): boolean => sessionsOf(one).includes(session);
const without = (one: Viewing, session: string): string[] =>
  sessionsOf(one)
    .filter((id) => id !== session)
    .slice(-maxWaiting);
const slotId = (viewer: string, slot: number): string => `${viewer}#${slot}`;
const until = (): string => new Date(Date.now() + pendingMs).toISOString();

/** Whether it holds its slot: it reads, or may still begin to. */
export const isCurrent = ({ type, until: bound }: Viewing): boolean =>
  type !== null || bound > new Date().toISOString();

const limitExceeded = (limit: number) =>
  new Failure('LIMIT_EXCEEDED', `A user watches ${limit} streams at a time at most`);
