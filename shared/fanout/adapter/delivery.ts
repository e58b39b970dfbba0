import type { AdapterSocket } from './engine.ts';
import type { Outgoing } from './outgoing.ts';
import type { ReaderLimits } from './reader.ts';
import { Seat } from './seat.ts';
import { turn } from './turn.ts';

interface Member {
  socket: AdapterSocket;
  seat: Seat;
}

export interface Target {
  /** None: everybody. */
  rooms: readonly string[];
  except: readonly string[];
  volatile?: boolean | undefined;
}

function notify({ socket }: Member, packets: readonly Outgoing[]): void {
  if (!socket._anyOutgoingListeners?.length) return;
  for (const { data } of packets) socket.notifyOutgoingListeners?.({ data });
}

/** Hands packets to the sockets of one namespace on this server. */
export class Delivery {
  readonly #rooms: ReadonlyMap<string, ReadonlySet<string>>;
  readonly #limits: ReaderLimits;
  readonly #members = new Map<string, Member>();

  /** @param rooms the socket ids of each room: the adapter's own map */
  constructor(rooms: ReadonlyMap<string, ReadonlySet<string>>, limits: ReaderLimits) {
    this.#rooms = rooms;
    this.#limits = limits;
  }

  get size(): number {
    return this.#members.size;
  }

  has(sid: string): boolean {
    return this.#members.has(sid);
  }

  add(socket: AdapterSocket): void {
    if (this.#members.has(socket.id)) return;
    turn.distribute();
    this.#members.set(socket.id, { socket, seat: Seat.of(socket.client.conn, this.#limits) });
  }

  remove(sid: string): void {
    const member = this.#members.get(sid);
    if (!member) return;
    turn.distribute();
    member.seat.flush();
    this.#members.delete(sid);
  }

  /** Writes at the end of the turn; each socket gets the packet once, however many of the rooms it is in. */
  send(packet: Outgoing, { rooms, except, volatile }: Target): void {
    const [room] = rooms;
    if (volatile || except.length > 0 || rooms.length > 1) this.#some(packet, { rooms, except, volatile });
    else if (room === undefined) turn.send(this.#members, (packets) => this.#everybody(packets), packet);
    else {
      const sids = this.#rooms.get(room);
      if (sids) turn.send(sids, (packets) => this.#room(sids, packets), packet);
    }
  }

  /** Packets for one socket, after all that it has got so far. */
  give(sid: string, packets: readonly Outgoing[]): void {
    const member = this.#members.get(sid);
    if (!member) return;
    turn.distribute();
    notify(member, packets);
    for (const packet of packets) member.seat.add(packet);
  }

  count({ rooms, except }: Target): number {
    let count = 0;
    for (const _ of this.#matching(rooms, except)) count += 1;
    return count;
  }

  *#everybody(packets: readonly Outgoing[]): Iterable<Seat> {
    for (const member of this.#members.values()) {
      notify(member, packets);
      yield member.seat;
    }
  }

  *#room(sids: ReadonlySet<string>, packets: readonly Outgoing[]): Iterable<Seat> {
    for (const sid of sids) {
      const member = this.#members.get(sid);
      if (!member) continue;
      notify(member, packets);
      yield member.seat;
    }
  }

  #some(packet: Outgoing, { rooms, except, volatile }: Target): void {
    turn.distribute();
    for (const member of this.#matching(rooms, except)) {
      if (volatile && !member.seat.writable) continue;
      notify(member, [packet]);
      member.seat.add(packet);
    }
  }

  *#matching(rooms: readonly string[], except: readonly string[]): Iterable<Member> {
    const passed = new Set<string>();
    for (const room of except) for (const sid of this.#rooms.get(room) ?? []) passed.add(sid);
    const sids = rooms.length === 0 ? [this.#members.keys()] : rooms.map((room) => this.#rooms.get(room) ?? []);
    for (const some of sids) {
      for (const sid of some) {
        const member = passed.has(sid) ? undefined : this.#members.get(sid);
        if (rooms.length > 1) passed.add(sid);
        if (member) yield member;
      }
    }
  }
}
