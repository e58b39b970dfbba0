import type { BusLog } from './bus.log.ts';
import type { Delivery } from './delivery.ts';
import type { Interest } from './interest.ts';
import type { LeaseKeeper } from './lease.keeper.ts';
import type { LiveOrder } from './live.ts';
import type { Entry, FanoutLog, LogLimits } from './log.ts';
import { everybody, type NamespaceNames, roomAudience } from './names.ts';
import type { NatsLink } from './nats.link.ts';
import { pause } from './pause.ts';
import type { Publisher } from './publisher.ts';
import { decodeRecord, type Sessions } from './sessions.ts';
import { decodeMessage, encodeMessage, encodeValue } from './wire.ts';

export interface GapHost {
  uid: string;
  link: NatsLink;
  log: BusLog;
  names: NamespaceNames;
  publisher: Publisher;
  interest: Interest;
  delivery: Delivery;
  newId(): string;
  /** Closes the connections of all of the namespace's sockets, or of one; they may come back. */
  drop(sid?: string): void;
}

export interface GapParts {
  log: FanoutLog;
  limits: LogLimits;
  live: LiveOrder;
  leases: LeaseKeeper;
  sessions: Sessions;
  /** Told where something was missed for good. */
  lost(): void;
}

const catchUpBound = 10_000;

/**
 * What came while the link was down is read from the log, before what comes now; and what a server of a NATS cluster
 * stored and could not tell any more, when another one leads the stream.
 */
export class Gap {
  readonly #host: GapHost;
  readonly #parts: GapParts;
  readonly #stopping = new AbortController();
  #forgets: (() => void)[] = [];
  #outages = 0;
  #catchingUp: Promise<void> | undefined;

  constructor(host: GapHost, parts: GapParts) {
    this.#host = host;
    this.#parts = parts;
  }

  start(): void {
    const { log, live } = this.#parts;
    this.#forgets = [
      this.#host.link.onBack(() => this.#catchUp()),
      // The first leader of a new stream has nothing to be read.
      log.onElection(() => live.place.sequence > 0 && this.#catchUp()),
    ];
  }

  stop(): void {
    this.#stopping.abort();
    for (const forget of this.#forgets) forget();
  }

  #catchUp(): void {
    this.#parts.live.pause();
    this.#outages += 1;
    this.#catchingUp ??= this.#read().finally(() => {
      this.#catchingUp = undefined;
    });
  }

  async #read(): Promise<void> {
    const { log, limits, live, sessions } = this.#parts;
    const { signal } = this.#stopping;
    const until = Date.now() + catchUpBound;
    for (let tries = 0; !signal.aborted && Date.now() < until; tries += 1) {
      if (tries > 0) await pause(250, signal);
      try {
        const outages = this.#outages;
        await log.ensure(limits);
        if (!(await this.#readAll())) break;
        // The link was down once more: what waits has a hole.
        if (outages !== this.#outages) continue;
        if (!live.resume()) break;
        sessions.refresh(true);
        return;
      } catch (error) {
        this.#host.log.warn({ err: error }, 'what came while NATS was away could not be read yet');
      }
    }
    if (!signal.aborted) this.#lose();
  }

  /** False where something is missing. @throws Error where that cannot be told now */
  async #readAll(): Promise<boolean> {
    const { names, delivery, interest } = this.#host;
    const { log, live, leases } = this.#parts;
    const { sequence, id } = live.place;
    const end = await log.append(leases.subject, leases.message());
    if (sequence === 0) return delivery.size === 0;
    // A server that crashed may have forgotten its newest messages and given their places to others.
    if (end <= sequence || (await log.idAt(sequence)) !== id) return false;
    const rooms = new Map([...interest.rooms].map((room) => [names.log(roomAudience(room)), [room]]));
    rooms.set(names.log(everybody), []);
    const range = { from: sequence + 1, to: end, timeout: catchUpBound };
    return log.scan([names.everything, names.sessions], range, (entry) => {
      if (entry.subject.startsWith(names.sessions.slice(0, -1))) this.#movedAway(entry.data);
      else this.#handleLate(entry, rooms.get(entry.subject));
      return true;
    });
  }

  /** Nobody here is in the room where `implied` is missing and the message names none itself. */
  #handleLate({ sequence, data }: Entry, implied: string[] | undefined): void {
    const message = decodeMessage(data);
    const rooms = message.rooms.length > 0 ? message.rooms : implied;
    if (rooms && !message.volatile) this.#parts.live.handle({ sequence, message, rooms });
  }

  /** Another server has restored a session that is still here: it was not to be reached then. */
  #movedAway(data: Uint8Array): void {
    const { sessions } = this.#parts;
    const record = decodeRecord(data);
    if (record.t !== 'claimed' || record.server === this.#host.uid || !sessions.has(record.sid)) return;
    sessions.disown(record.sid);
    this.#host.drop(record.sid);
  }

  /** There is a gap, and nobody must believe there is none: all come back, and the log decides about each. */
  #lose(): void {
    const { log, drop, names, publisher, newId } = this.#host;
    const { live, leases, lost } = this.#parts;
    log.warn({ place: live.place }, 'packets were missed: the clients are sent back');
    leases.forget();
    lost();
    live.forget();
    drop();
    // Those who come back to a server that never knew: what others heard may not be in the log.
    const header = { id: newId(), rooms: [], except: [], control: true };
    publisher.publish(names.log(everybody), encodeMessage(header, encodeValue({ cut: true })));
  }
}
