import type { Live } from './live.ts';
import type { Outgoing } from './outgoing.ts';
import { type Session, wasFor } from './session.rules.ts';
import type { Message } from './wire.ts';

/** A restored session whose socket is not connected yet; what it missed, and what comes meanwhile, waits here. */
export interface Arrival {
  session: Session;
  pid: string;
  /** The packets up to here were read from the log; what comes live counts from the next one. */
  upTo: number;
  missed: Outgoing[];
  live: { sequence: number; packet: Outgoing }[];
  bytes: number;
  release(): void;
}

/** Whether a later session may still get the packet. */
export const isKept = ({ control, volatile, acked }: Message): boolean => !control && !volatile && !acked;

export const bytesOf = (packet: Outgoing): number => packet.parts.reduce((sum, part) => sum + part.length, 0);

/** Sessions between their restore and their connection, by socket id. */
export class Arrivals {
  readonly #waiting = new Map<string, Arrival>();
  readonly #maxBytes: number;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get(sid: string): Arrival | undefined {
    return this.#waiting.get(sid);
  }

  /** From now on it hears what comes live. False where the session arrives already. */
  expect(arrival: Arrival): boolean {
    if (this.#waiting.has(arrival.session.sid)) return false;
    this.#waiting.set(arrival.session.sid, arrival);
    return true;
  }

  /** False where more came than may wait. */
  fits({ bytes }: Arrival): boolean {
    return bytes <= this.#maxBytes;
  }

  /** @param outgoing makes the packet, once */
  hear({ message, sequence, rooms }: Live, outgoing: () => Outgoing): void {
    if (this.#waiting.size === 0 || !isKept(message)) return;
    const packet = outgoing();
    for (const arrival of this.#waiting.values()) {
      if (!this.fits(arrival)) continue;
      if (!wasFor(arrival.session, { sequence, rooms, except: message.except })) continue;
      arrival.live.push({ sequence, packet });
      arrival.bytes += bytesOf(packet);
    }
  }

  /** There was a gap: none of them can be told that there was none. */
  spoil(): void {
    for (const arrival of this.#waiting.values()) arrival.bytes = Number.POSITIVE_INFINITY;
  }

  /** It is connected, or given up: nothing more waits. */
  take(sid: string): Arrival | undefined {
    const arrival = this.#waiting.get(sid);
    this.#waiting.delete(sid);
    arrival?.release();
    return arrival;
  }

  /** Everything, in order, once. */
  static packets({ missed, live, upTo }: Arrival): Outgoing[] {
    return [...missed, ...live.filter(({ sequence }) => sequence > upTo).map(({ packet }) => packet)];
  }
}
