import { randomUUID } from 'node:crypto';
import {
  DiscardPolicy,
  deadline,
  ErrorCode,
  type JetStreamClient,
  type JetStreamManager,
  NatsError,
  nanos,
  StorageType,
} from 'nats';
import { isNotFound, persist } from './adapter/nats.errors.ts';
import type { NatsLink } from './adapter/nats.link.ts';
import type { BusNames } from './subjects.ts';

/** Milliseconds a claim may take. */
const claimBound = 1_600;
/** Milliseconds one attempt of it may take. */
const attemptBound = 700;
/** About a million claims; the next is refused, not the oldest forgotten. */
const maxBytes = 128 * 1024 * 1024;
/** Of the JetStream API: the subject has a message already. */
const wrongLastSequence = 10_071;

export interface ClaimsContext {
  link: NatsLink;
  js: JetStreamClient;
  jsm: JetStreamManager;
  names: BusNames;
  replicas: number;
}

/** Claims as messages of a stream per lifetime, whose age limit is what ends them: one message per subject. */
export class NatsClaims {
  readonly #context: ClaimsContext;
  readonly #streams = new Map<number, Promise<unknown>>();

  constructor(context: ClaimsContext) {
    this.#context = context;
  }

  async claim(name: string, ttlMs: number): Promise<boolean> {
    const end = Date.now() + claimBound;
    const subject = this.#context.names.claim(name, ttlMs);
    const claimer = randomUUID();
    let attempts = 0;
    try {
      return await persist(claimBound, async (left) => {
        if (!(await this.#context.link.whenUp(left))) throw new Error('NATS cannot be reached');
        await deadline(this.#stream(ttlMs), left);
        attempts += 1;
        const timeout = () => Math.max(1, Math.min(attemptBound, end - Date.now()));
        if (await this.#publish(subject, claimer, timeout(), ttlMs)) return true;
        // An attempt before this one may have won, and its answer been lost.
        return attempts > 1 && (await deadline(this.#claimer(subject, ttlMs), timeout())) === claimer;
      });
    } catch (error) {
      throw new Error(`a claim could not be made: ${(error as Error).message}`, { cause: error });
    }
  }

  async #publish(subject: string, claimer: string, timeout: number, ttlMs: number): Promise<boolean> {
    try {
      await this.#context.js.publish(subject, claimer, { timeout, expect: { lastSubjectSequence: 0 } });
      return true;
    } catch (error) {
      if (error instanceof NatsError && error.api_error?.err_code === wrongLastSequence) return false;
      // Nobody stores the subject: the stream may have been deleted.
      if (error instanceof NatsError && error.code === ErrorCode.NoResponders) this.#streams.delete(ttlMs);
      throw error;
    }
  }

  async #claimer(subject: string, ttlMs: number): Promise<string> {
    const { jsm, names } = this.#context;
    return (await jsm.streams.getMessage(names.claims(ttlMs).stream, { last_by_subj: subject })).string();
  }

  /** Made once per process and lifetime, again where that failed. */
  #stream(ttlMs: number): Promise<unknown> {
    const known = this.#streams.get(ttlMs);
    if (known) return known;
    const made = this.#ensure(ttlMs);
    this.#streams.set(ttlMs, made);
    made.catch(() => this.#streams.delete(ttlMs));
    return made;
  }

  async #ensure(ttlMs: number): Promise<unknown> {
    const { jsm, names, replicas } = this.#context;
    const { stream, subjects } = names.claims(ttlMs);
    const info = await jsm.streams.info(stream).catch((error) => {
      if (isNotFound(error)) return null;
      throw error;
    });
    if (info) {
      const { num_replicas } = info.config;
      return num_replicas === replicas ? info : jsm.streams.update(stream, { ...info.config, num_replicas: replicas });
    }
    return jsm.streams.add({
      name: stream,
      subjects: [subjects],
      storage: StorageType.File,
      discard: DiscardPolicy.New,
      max_msgs_per_subject: 1,
      max_age: nanos(ttlMs),
      duplicate_window: nanos(Math.min(ttlMs, 120_000)),
      max_bytes: maxBytes,
      num_replicas: replicas,
    });
  }
}
