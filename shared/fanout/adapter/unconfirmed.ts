import type { FanoutLog } from './log.ts';
import { checkpointAudience, type FanoutNames, type NamespaceNames } from './names.ts';
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

export interface UnconfirmedOptions {
  log: FanoutLog;
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
const readBound = 10_000;

/**
 * Packets that were handed to NATS and may not be in the log yet: what is on its way when NATS ends or the connection
 * breaks is in no log and with no client. Now and then a checkpoint is appended and waited for; what was sent before
 * it is stored by then, as one connection's messages are stored in their order. After a break the log says what is not.
 */
export class Unconfirmed {
  readonly #options: UnconfirmedOptions;
  readonly #kept: Sent[] = [];
  /** Number of the first that is kept, counted from the first that was ever sent. */
  #first = 0;
  #bytes = 0;
  /** Sequence of the last checkpoint. */
  #stored = 0;
  #checkpoints = 0;
  #asking = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: UnconfirmedOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#kept.length;
  }

  sent(packet: Sent): void {
    this.#kept.push(packet);
    this.#bytes += packet.data.length;
    while (this.#kept.length > most.packets || this.#bytes > most.bytes) this.#forgetUntil(this.#first + 1);
    const isMuch = this.#kept.length >= askAfter.packets || this.#bytes >= askAfter.bytes;
    if (isMuch) void this.#ask();
    else this.#timer ??= setTimeout(() => void this.#ask(), askAfter.ms).unref();
  }

  /**
   * What the log has not got, in order. Nothing may be published meanwhile; it is kept, and has to be sent again.
   * @throws Error where the log cannot be read now
   */
  async missing(): Promise<readonly Sent[]> {
    const { log, fanout } = this.#options;
    const from = this.#stored + 1;
    const to = await this.#checkpoint();
    // A log that was made anew counts from the beginning.
    const subjects = [...new Set(this.#kept.map(({ subject }) => subject)), this.#subject];
    const filter = subjects.length > maxSubjects ? [fanout.republish.src] : subjects;
    const places = new Map(this.#kept.map(({ id }, index) => [id, this.#first + index]));
    let next = this.#first;
    if (to > from) {
      await log.scan(filter, { from, to, timeout: readBound }, ({ data }) => {
        next = Math.max(next, (places.get(decodeMessage(data).id) ?? -1) + 1);
        return true;
      });
    }
    this.#forgetUntil(next);
    this.#stored = to;
    return [...this.#kept];
  }

  /** Gives up what is kept. @returns how many packets that were */
  forget(): number {
    const count = this.#kept.length;
    this.#forgetUntil(this.#first + count);
    return count;
  }

  close(): void {
    clearTimeout(this.#timer);
    this.forget();
  }

  async #ask(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const end = this.#first + this.#kept.length;
    try {
      const sequence = await this.#checkpoint();
      this.#stored = Math.max(this.#stored, sequence);
      this.#forgetUntil(end);
    } catch {
      // While NATS is away. Asked again with what is sent next, or when it is back.
    } finally {
      this.#asking = false;
    }
    if (this.#kept.length > 0) this.#timer ??= setTimeout(() => void this.#ask(), askAfter.ms).unref();
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
