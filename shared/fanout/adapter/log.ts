import {
  AckPolicy,
  createInbox,
  DeliverPolicy,
  DiscardPolicy,
  type JetStreamClient,
  type JetStreamManager,
  type Msg,
  nanos,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from 'nats';
import type { FanoutNames } from './names.ts';
import { isNotFound, persist } from './nats.errors.ts';
import type { NatsLink } from './nats.link.ts';
import { decodeMessage } from './wire.ts';

export interface LogLimits {
  /** Where the stream lies: `file` survives a restart of NATS, `memory` makes every session a new one then. */
  storage: 'file' | 'memory';
  /** Copies in a cluster: 1, 3 or 5. */
  replicas: number;
  /** Bytes that are kept; the oldest go first. */
  maxBytes: number;
  /** Milliseconds that are kept. */
  maxAge: number;
}

export interface Entry {
  sequence: number;
  subject: string;
  data: Uint8Array;
}

export interface Range {
  from: number;
  /** Sequence of a message of the subjects. */
  to: number;
  /** Milliseconds. */
  timeout: number;
}

/** Milliseconds within which the log takes what several servers emit once for all of them (`emitOnce`). */
export const onceFor = 120_000;

const apiTimeout = 2_000;
const openBound = 20_000;

/** The stream that all packets and session records of an adapter's prefix go through. */
export class FanoutLog {
  readonly #link: NatsLink;
  readonly #names: FanoutNames;
  readonly #js: JetStreamClient;
  #manager: Promise<JetStreamManager> | undefined;

  constructor(link: NatsLink, names: FanoutNames) {
    this.#link = link;
    this.#names = names;
    this.#js = link.connection.jetstream({ timeout: apiTimeout });
  }

  /** Makes the stream, or brings its limits to those wanted. @throws Error where that fails for 20 s */
  async ensure(limits: LogLimits): Promise<void> {
    await persist(openBound, async () => {
      const jsm = await this.#jsm();
      const wanted = this.#config(limits);
      const info = await jsm.streams.info(this.#names.stream).catch((error) => {
        if (isNotFound(error)) return null;
        throw error;
      });
      if (!info) await jsm.streams.add(wanted);
      else if (!sameLimits(info.config, wanted)) await jsm.streams.update(this.#names.stream, wanted);
    });
  }

  /**
   * Calls back when a server of a NATS cluster comes to lead the stream. Until then what is published gets nowhere, and
   * what was stored right before may have been told to nobody; nothing else tells of it where no link breaks.
   * @returns what ends that
   */
  onElection(elected: () => void): () => void {
    const subscription = this.#link.connection.subscribe(this.#names.elections, {
      callback: (error) => void (error ?? elected()),
    });
    return () => subscription.unsubscribe();
  }

  /**
   * Appends and waits until it is stored.
   * @param after sequence that must be the last of the subject
   * @returns its sequence @throws NatsError, with `api_error.err_code` 10071 where `after` is not the last
   */
  async append(subject: string, data: Uint8Array, after?: number): Promise<number> {
    const expect = after === undefined ? {} : { expect: { lastSubjectSequence: after } };
    return (await this.#js.publish(subject, data, { ...expect, timeout: apiTimeout })).seq;
  }

  /** Sequence of the oldest message that is left. */
  async first(): Promise<number> {
    const { state } = await (await this.#jsm()).streams.info(this.#names.stream);
    return state.messages === 0 ? state.last_seq + 1 : state.first_seq;
  }

  /** The id of the packet at a sequence; null where there is none any more. */
  async idAt(sequence: number): Promise<string | null> {
    return this.#message({ seq: sequence }, ({ data }) => decodeMessage(data).id);
  }

  /** The last message of a subject. */
  async lastOf(subject: string): Promise<Entry | null> {
    return this.#message({ last_by_subj: subject }, ({ seq, data }) => ({ sequence: seq, subject, data }));
  }

  /**
   * Reads subjects in order, from a sequence up to that of a message known to be there: how many are still to come
   * NATS only estimates.
   * @param each returns false to end the reading @returns whether everything was read @throws Error after `timeout` ms
   */
  async scan(subjects: string[], { from, to, timeout }: Range, each: (entry: Entry) => boolean): Promise<boolean> {
    const jsm = await this.#jsm();
    const inbox = createInbox();
    const reading = Promise.withResolvers<boolean>();
    const subscription = this.#link.connection.subscribe(inbox, {
      callback: (error: Error | null, message: Msg) => {
        if (error) reading.reject(error);
        else read(message, to, each, reading);
      },
    });
    reading.promise.catch(() => {});
    const timer = setTimeout(() => reading.reject(new Error('reading the log took too long')), timeout);
    let name: string | undefined;
    try {
      const consumer = await jsm.consumers.add(this.#names.stream, this.#reader(inbox, subjects, from));
      name = consumer.name;
      return await reading.promise;
    } finally {
      clearTimeout(timer);
      subscription.unsubscribe();
      if (name) void jsm.consumers.delete(this.#names.stream, name).catch(() => {});
    }
  }

  #reader(inbox: string, subjects: string[], from: number) {
    return {
      deliver_subject: inbox,
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: Math.max(1, from),
      ...(subjects.length === 1 ? { filter_subject: subjects[0] as string } : { filter_subjects: subjects }),
      ack_policy: AckPolicy.None,
      mem_storage: true,
      num_replicas: 1,
      inactive_threshold: nanos(10_000),
    };
  }

  async #message<T>(
    query: { seq: number } | { last_by_subj: string },
    take: (message: { seq: number; data: Uint8Array }) => T,
  ): Promise<T | null> {
    try {
      return take(await (await this.#jsm()).streams.getMessage(this.#names.stream, query));
    } catch (error) {
      // "no message found"
      if ((error as { api_error?: { err_code?: number } }).api_error?.err_code === 10_037) return null;
      throw error;
    }
  }

  #config({ storage, replicas, maxBytes, maxAge }: LogLimits) {
    return {
      name: this.#names.stream,
      subjects: [this.#names.captured],
      republish: this.#names.republish,
      storage: storage === 'file' ? StorageType.File : StorageType.Memory,
      retention: RetentionPolicy.Limits,
      discard: DiscardPolicy.Old,
      num_replicas: replicas,
      max_bytes: maxBytes,
      max_age: nanos(maxAge),
      duplicate_window: nanos(Math.min(maxAge, onceFor + 30_000)),
    };
  }

  #jsm(): Promise<JetStreamManager> {
    this.#manager ??= this.#link.connection.jetstreamManager({ checkAPI: false, timeout: apiTimeout });
    return this.#manager;
  }
}

type Reading = PromiseWithResolvers<boolean>;

function read(message: Msg, to: number, each: (entry: Entry) => boolean, { resolve, reject }: Reading): void {
  try {
    const sequence = sequenceOf(message.reply ?? '');
    // What is behind the end may come before the reader has gone.
    if (sequence > to) return;
    if (!each({ sequence, subject: message.subject, data: message.data })) resolve(false);
    else if (sequence === to) resolve(true);
  } catch (error) {
    reject(error);
  }
}

/** `$JS.ACK.….<stream sequence>.<consumer sequence>.<time>.<pending>`, in newer forms with more on either side. */
function sequenceOf(reply: string): number {
  const tokens = reply.split('.');
  return Number(tokens[tokens.length > 9 ? 7 : 5]);
}

const sameLimits = (is: StreamConfig, wanted: Partial<StreamConfig>): boolean =>
  (['max_bytes', 'max_age', 'num_replicas', 'duplicate_window'] as const).every((limit) => is[limit] === wanted[limit]);
