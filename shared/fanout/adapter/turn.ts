import type { Outgoing } from './outgoing.ts';

/** Packets in the order in which a connection gets them; connections that get the same share the chain and its bytes. */
export class Chain {
  readonly packet: Outgoing;
  readonly before: Chain | undefined;
  #next: Chain | undefined;
  #joined: Buffer | undefined;

  constructor(packet: Outgoing, before?: Chain) {
    this.packet = packet;
    this.before = before;
  }

  with(packet: Outgoing): Chain {
    if (this.#next?.packet !== packet) this.#next = new Chain(packet, this);
    return this.#next;
  }

  packets(): Outgoing[] {
    const packets: Outgoing[] = [];
    for (let link: Chain | undefined = this; link; link = link.before) packets.push(link.packet);
    return packets.reverse();
  }

  /** The frames of all its packets in one buffer; undefined where one has attachments. */
  get joined(): Buffer | undefined {
    if (this.#joined) return this.#joined;
    const packets = this.packets();
    if (!packets.every(({ plain }) => plain)) return undefined;
    this.#joined = packets.length === 1 ? this.packet.frame : Buffer.concat(packets.map(({ frame }) => frame));
    return this.#joined;
  }
}

/** Where one connection's packets of the turn are collected. */
export interface Place {
  append(chain: Chain, packets: readonly Outgoing[]): void;
  flush(): void;
}

/** Packets for one audience that arrived one after the other. */
interface Run {
  audience: object;
  seats(packets: readonly Outgoing[]): Iterable<Place>;
  chain: Chain;
}

/**
 * What happens in one event-loop turn: packets are collected, given to the seats of their audience, and written once
 * per connection when the turn ends. Whatever changes who is in an audience calls `distribute` first.
 */
class Turn {
  #runs: Run[] = [];
  #dirty: Place[] = [];
  #roots = new Map<Outgoing, Chain>();
  #scheduled = false;

  /** @param seats who is in the audience, asked when the packets are distributed */
  send(audience: object, seats: Run['seats'], packet: Outgoing): void {
    const last = this.#runs.at(-1);
    if (last?.audience === audience) last.chain = last.chain.with(packet);
    else this.#runs.push({ audience, seats, chain: new Chain(packet) });
    this.#schedule();
  }

  /** The first link of a connection's chain; the same for all of one packet, so that what follows is shared too. */
  root(packet: Outgoing): Chain {
    let chain = this.#roots.get(packet);
    if (!chain) {
      chain = new Chain(packet);
      this.#roots.set(packet, chain);
    }
    return chain;
  }

  written(seat: Place): void {
    this.#dirty.push(seat);
    this.#schedule();
  }

  distribute(): void {
    if (this.#runs.length === 0) return;
    const runs = this.#runs;
    this.#runs = [];
    for (const { seats, chain } of runs) {
      const packets = chain.packets();
      for (const seat of seats(packets)) seat.append(chain, packets);
    }
  }

  flush(): void {
    this.#scheduled = false;
    this.distribute();
    const dirty = this.#dirty;
    this.#dirty = [];
    this.#roots.clear();
    for (const seat of dirty) seat.flush();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.flush());
  }
}

/** One for the process, as its event loop is. */
export const turn = new Turn();
