import type { Msg } from 'nats';
import type { BusLog } from './bus.log.ts';
import type { Live } from './live.ts';
import { audienceOf, everybody, type NamespaceNames } from './names.ts';
import type { NatsLink } from './nats.link.ts';
import { Outgoing } from './outgoing.ts';
import { keptId, type Publisher } from './publisher.ts';
import {
  decodeMessage,
  encodeMessage,
  encodeOffset,
  type Header,
  type Message,
  sequenceIn,
  withOffset,
} from './wire.ts';

export interface ExchangeOptions {
  uid: string;
  link: NatsLink;
  names: NamespaceNames;
  publisher: Publisher;
  log: BusLog;
  /** Whether messages go through the log: this server then gets its own ones back, in their order. */
  logged: boolean;
  encode: ((packet: unknown) => (string | Buffer)[]) | undefined;
  isHere(sid: string): boolean;
  isHeld(room: string): boolean;
  /** For packets that are not in the log. */
  offset(): string | undefined;
  handle(live: Live): void;
}

/** What one adapter says on NATS and hears there. */
export class Exchange {
  readonly #options: ExchangeOptions;
  readonly #author: string;
  #count = 0;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    this.#author = options.uid.slice(0, 10);
  }

  newId(): string {
    this.#count += 1;
    return `${this.#author}${this.#count.toString(36)}`;
  }

  /**
   * Publishes for the audience of some rooms. False where NATS would not take it.
   * @param once an id that the log keeps one message of
   */
  send(header: Header, parts: Buffer[], once?: string): boolean {
    const { uid, names, publisher, log, link, logged, isHere, isHeld } = this.#options;
    const owner = (room: string) => (isHere(room) ? uid : undefined);
    const { audience, rooms: named } = audienceOf(header.rooms, owner);
    const data = encodeMessage({ ...header, rooms: named }, parts);
    const limit = link.connection.info?.max_payload ?? Number.POSITIVE_INFINITY;
    if (data.length > limit) {
      log.warn({ bytes: data.length, limit }, 'a packet is too large for NATS');
      return false;
    }
    const cold = audience !== everybody && !isHeld(header.rooms[0] ?? '');
    if (logged) {
      publisher.publish(names.log(audience), data, {
        packet: keptId(header),
        once: once === undefined ? undefined : names.once(once),
      });
    } else publisher.publish(names.live(audience), data, { cold });
    return true;
  }

  /** @param rooms that the subject stands for; null where the message itself must name them */
  receive(received: Msg, rooms: string[] | null): void {
    try {
      const message = decodeMessage(received.data);
      const named = message.rooms.length > 0 ? message.rooms : rooms;
      if (!named) return;
      const live = { sequence: sequenceIn(headersOf(received)), message, rooms: named };
      // Without the log, its own sockets have had it already.
      if (this.#options.logged || !message.id.startsWith(this.#author)) this.#options.handle(live);
    } catch (error) {
      this.#options.log.warn({ subject: received.subject, err: error }, 'a packet was not handled');
    }
  }

  /** The packet as clients get it: with the offset of its place in the log, or of the last one there. */
  outgoing(message: Message, sequence: number): Outgoing {
    const { id, parts, acked, compress } = message;
    const offset = sequence > 0 ? encodeOffset({ sequence, id }) : this.#options.offset();
    return new Outgoing(acked || !offset ? parts : withOffset(parts, offset), compress, this.#options.encode);
  }
}

/** The bytes of the headers, where nats.js has them; it would make a map of all otherwise. */
function headersOf(message: Msg): Uint8Array | undefined {
  const { _rdata: bytes, _msg: raw } = message as unknown as { _rdata?: Uint8Array; _msg?: { hdr: number } };
  if (bytes && raw) return raw.hdr > 0 ? bytes.subarray(0, raw.hdr) : undefined;
  const sequence = message.headers?.get('Nats-Sequence');
  return sequence ? Buffer.from(`Nats-Sequence: ${sequence}\r\n`) : undefined;
}
