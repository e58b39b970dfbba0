import { type FanoutLog, onceFor } from './log.ts';
import { checkpointAudience, type FanoutNames, type NamespaceNames } from './names.ts';
import type { NatsLink } from './nats.link.ts';
import { decodeMessage, encodeMessage, encodeValue } from './wire.ts';

/** A packet as it was handed to NATS. */
export interface Sent {
  /** The message's own, see Header. */
  id: string;
  subject: string;
  data: Uint8Array;
  /** `Nats-Msg-Id`, where it has one. */
  once: string | undefined;
}

interface Kept extends Sent {
  at: number;
}

export interface UnconfirmedOptions {
  link: Pick<NatsLink, 'up' | 'breaks'>;
  log: Pick<FanoutLog, 'append' | 'scan' | 'first' | 'onElection'>;
  fanout: FanoutNames;
  names: NamespaceNames;
  /** Unique over the cluster. */
  author: string;
}

/** Milliseconds, packets and bytes after which it is asked how far the log has come. */
const askAfter = { ms: 1_000, packets: 4_000, bytes: 2 * 1_048_576 };
/** What is kept at most; the oldest go first, and would be lost with a NATS that ends right then. */
const most = { packets: 20_000, bytes: 8 * 1_048_576 };
/** Subjects that are read by their names; more are read with everybody's. */
const maxSubjects = 64;
const readBound = 5_000;
/** Of what is kept, so much goes at once where there is too much. */
const trimPart = 16;

/**
 * Packets that were handed to NATS and may not be in the log yet: what is on its way when NATS ends or the connection
 * breaks, or while the stream has no leader, is in no log and with no client. Now and then a checkpoint is appended and
 * waited for; what was sent before it on the same connection is stored by then, as one connection's messages are stored
 * in their order, unless a leader of the stream came between them. That is told a moment later, so what a checkpoint
 * follows is kept until the next one. After a break or such a doubt the log says what is missing.
 */
export class Unconfirmed {
  readonly #options: UnconfirmedOptions;
  /** Told where packets may be missing although the link is up: a checkpoint was not stored, or a leader is new. */
  doubted: () => void = () => {};
  readonly #kept: Kept[] = [];
  /** Number of the first that is kept, counted from the first that was ever sent. */
  #first = 0;
  #bytes = 0;
  /** Sequence of the checkpoint before all that is kept. */
  #stored = 0;
  /** The last checkpoint: its sequence, and the number of the first packet that came after it was asked for. */
  #last = { sequence: 0, end: 0 };
  #checkpoints = 0;
  #asking = false;
  /** How often the log was read: what was asked before says nothing after it. */
  #readings = 0;
  #reading = false;
  #timer: NodeJS.Timeout | undefined;

  readonly #forgetElections: () => void;

  constructor(options: UnconfirmedOptions) {
    this.#options = options;
    this.#forgetElections = options.log.onElection(() => this.doubted());
  }

  get size(): number {
    return this.#kept.length;
  }

  /** Whether messages of a subject go into the log. */
  captures(subject: string): boolean {
    return subject.startsWith(this.#options.fanout.captured.slice(0, -1));
  }

  sent(packet: Sent): void {
    this.#kept.push({ ...packet, at: Date.now() });
    this.#bytes += packet.data.length;
    while (this.#kept.length > most.packets || this.#bytes > most.bytes) {
      this.#forgetUntil(this.#first + Math.ceil(this.#kept.length / trimPart));
    }
    const isMuch = this.#kept.length >= askAfter.packets || this.#bytes >= askAfter.bytes;
    if (isMuch) void this.#ask();
    else this.#askLater();
  }

  /**
   * What the log has not got, in order. Nothing may be published meanwhile; it is kept, and has to be sent again.
   * @throws Error where the log cannot be read now
   */
  async missing(): Promise<readonly Sent[]> {
    this.#reading = true;
    this.#readings += 1;
    try {
      await this.#compare();
    } finally {
      this.#reading = false;
      this.#askLater();
    }
    // The stream knows ids for some time only. What is older was told by the others who tell the same.
    const oldest = Date.now() - onceFor;
    return this.#kept.filter(({ once, at }) => once === undefined || at > oldest);
  }

  /** Forgets what the log has. */
  async #compare(): Promise<void> {
    const { log, fanout } = this.#options;
    const to = await this.#checkpoint();
    // A log that was made anew counts from the beginning.
    const isNew = to <= this.#last.sequence;
    const from = isNew ? 1 : this.#stored + 1;
    // Where the log has lost its beginning, what a checkpoint followed is not there to be found, and was told.
    if (isNew || (from > 1 && (await log.first()) > from)) this.#forgetUntil(this.#last.end);
    const subjects = [...new Set(this.#kept.map(({ subject }) => subject)), this.#subject];
    const filter = subjects.length > maxSubjects ? [fanout.republish.src] : subjects;
    const stored = new Set<string>();
    await log.scan(filter, { from, to, timeout: readBound }, ({ subject, data }) => {
      // A checkpoint's id may be that of a packet.
      if (subject !== this.#subject) stored.add(decodeMessage(data).id);
      return true;
    });
    const missing = this.#kept.filter(({ id }) => !stored.has(id));
    this.#kept.splice(0, this.#kept.length, ...missing);
    this.#bytes = missing.reduce((sum, { data }) => sum + data.length, 0);
    this.#stored = to;
    this.#last = { sequence: to, end: this.#first };
  }

  /** Gives up what is kept. @returns how many packets that were */
  forget(): number {
    const count = this.#kept.length;
    this.#forgetUntil(this.#first + count);
    return count;
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#forgetElections();
    this.forget();
  }

  async #ask(): Promise<void> {
    const { link } = this.#options;
    if (this.#asking || this.#reading || !link.up) return;
    this.#asking = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { breaks } = link;
    const readings = this.#readings;
    const end = this.#first + this.#kept.length;
    const isTold = () => link.breaks === breaks && this.#readings === readings;
    try {
      const sequence = await this.#checkpoint();
      // After a break it went over the new connection, and says nothing of what was sent over the old one.
      if (isTold()) {
        this.#stored = this.#last.sequence;
        this.#forgetUntil(this.#last.end);
        this.#last = { sequence, end };
      }
    } catch {
      if (isTold() && link.up) this.doubted();
    } finally {
      this.#asking = false;
      this.#askLater();
    }
  }

  #askLater(): void {
    if (this.#kept.length > 0) this.#timer ??= setTimeout(() => this.#asked(), askAfter.ms).unref();
  }

  #asked(): void {
    this.#timer = undefined;
    void this.#ask();
  }

  /** @returns its sequence @throws Error where it is not stored within 2 s */
  #checkpoint(): Promise<number> {
    const { log, author } = this.#options;
    this.#checkpoints += 1;
    const header = { id: `${author}c${this.#checkpoints.toString(36)}`, rooms: [], except: [], control: true };
    return log.append(this.#subject, encodeMessage(header, encodeValue({})));
  }

  get #subject(): string {
    const { names, author } = this.#options;
    return names.log(checkpointAudience(author));
  }

  #forgetUntil(number: number): void {
    const gone = this.#kept.splice(0, Math.max(0, number - this.#first));
    this.#first += gone.length;
    for (const { data } of gone) this.#bytes -= data.length;
  }
}
