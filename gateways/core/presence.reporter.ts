import { setImmediate as turn } from 'node:timers/promises';
import type { Bus } from '../../shared/fanout/bus.ts';
import {
  bytesOf,
  heartbeatEveryMs,
  maxMessageBytes,
  maxRoomsPerChange,
  maxRoomsPerSession,
  maxUserId,
  maxUserName,
  type PresenceAsk,
  type PresenceSnapshot,
  type PresentSession,
  type SessionChange,
  presenceTopics as topics,
} from '../../shared/fanout/presence.notices.ts';

export interface PresenceReporter {
  joined(session: PresentSession): void;
  left(id: string): void;
  /** A session is in a room, or no longer. */
  entered(id: string, room: string): void;
  exited(id: string, room: string): void;
  /** Every session has left: the gateway ends. */
  stop(): Promise<void>;
}

/** A gateway's own sessions, told to presence: each change, a heartbeat with their number, and all of them on request. */
export async function presenceReporter(gateway: string, bus: Bus): Promise<PresenceReporter> {
  const reporter = new Reporter(gateway, bus);
  await reporter.open();
  return reporter;
}

interface Held {
  session: PresentSession;
  rooms?: Set<string>;
}

class Reporter implements PresenceReporter {
  readonly #gateway: string;
  readonly #bus: Bus;
  readonly #sessions = new Map<string, Held>();
  readonly #askers = new Set<string>();
  #sequence = 0;
  #unsent: SessionChange[] = [];
  #answering = false;
  #stopped = false;
  #stops: (() => unknown)[] = [];

  constructor(gateway: string, bus: Bus) {
    this.#gateway = gateway;
    this.#bus = bus;
  }

  async open(): Promise<void> {
    const asking = await this.#bus.listen(topics.ask, (data) => {
      const { replica, gateway } = data as PresenceAsk;
      if (gateway === undefined || gateway === this.#gateway) this.#answer(replica);
    });
    const timer = setInterval(() => this.#beat(), heartbeatEveryMs);
    timer.unref();
    this.#stops = [() => clearInterval(timer), () => asking.stop()];
    this.#beat();
  }

  joined(session: PresentSession): void {
    const { id, username, email } = session.user;
    if (id.length > maxUserId) return;
    const user = { id, username: username.slice(0, maxUserName), email: email?.slice(0, maxUserName) ?? null };
    const kept = { ...session, user };
    this.#sessions.set(session.id, { session: kept });
    this.#tell({ joined: kept });
  }

  left(id: string): void {
    if (this.#sessions.delete(id)) this.#tell({ left: id });
  }

  entered(id: string, room: string): void {
    const held = this.#sessions.get(id);
    if (!held) return;
    held.rooms ??= new Set();
    if (held.rooms.has(room) || held.rooms.size >= maxRoomsPerSession) return;
    held.rooms.add(room);
    this.#tell({ id, entered: [room] });
  }

  exited(id: string, room: string): void {
    if (this.#sessions.get(id)?.rooms?.delete(room)) this.#tell({ id, exited: [room] });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#stops.map((stop) => stop()));
    this.#flush();
    this.#sessions.clear();
    this.#sequence += 1;
    this.#bus.notify(topics.change, { gateway: this.#gateway, sequence: this.#sequence, changes: [], ended: true });
  }

  /** What happens in one turn of the event loop goes out together. */
  #tell(change: SessionChange): void {
    if (this.#unsent.length === 0) setImmediate(() => this.#flush());
    this.#unsent.push(change);
  }

  #flush(): void {
    const changes = this.#unsent;
    this.#unsent = [];
    if (changes.length === 0) return;
    for (const part of messagesOf(changes)) {
      this.#sequence += 1;
      this.#bus.notify(topics.change, { gateway: this.#gateway, sequence: this.#sequence, changes: part });
    }
  }

  #beat(): void {
    this.#flush();
    const { size } = this.#sessions;
    this.#bus.notify(topics.heartbeat, { gateway: this.#gateway, sequence: this.#sequence, sessions: size });
  }

  /** Replicas that ask at the same time are answered together, however often they ask. */
  #answer(replica: string): void {
    this.#askers.add(replica);
    if (this.#answering) return;
    this.#answering = true;
    void this.#answerAll().finally(() => {
      this.#answering = false;
    });
  }

  async #answerAll(): Promise<void> {
    while (this.#askers.size > 0) {
      await turn();
      const replicas = [...this.#askers];
      this.#askers.clear();
      this.#flush();
      const sequence = this.#sequence;
      const parts = [...this.#sessions.values()].flatMap(piecesOf);
      let part = 0;
      for (const changes of messagesOf(parts)) {
        this.#send(replicas, { sequence, part, last: false, changes });
        part += 1;
        await turn();
        if (this.#stopped) return;
      }
      this.#send(replicas, { sequence, part, last: true, changes: [] });
    }
  }

  #send(replicas: readonly string[], part: Omit<PresenceSnapshot, 'gateway'>): void {
    const snapshot: PresenceSnapshot = { gateway: this.#gateway, ...part };
    for (const replica of replicas) this.#bus.notify(topics.snapshot(replica), snapshot);
  }
}

/** A session and its rooms as changes of a bounded size. */
function piecesOf({ session, rooms = new Set() }: Held): SessionChange[] {
  const names = [...rooms];
  const pieces: SessionChange[] = [{ joined: session }];
  for (let at = 0; at < names.length; at += maxRoomsPerChange) {
    pieces.push({ id: session.id, entered: names.slice(at, at + maxRoomsPerChange) });
  }
  return pieces;
}

/** The changes in order, in messages that NATS takes. */
function* messagesOf(changes: readonly SessionChange[]): Generator<SessionChange[]> {
  let message: SessionChange[] = [];
  let bytes = 0;
  for (const change of changes) {
    const more = bytesOf(change);
    if (bytes + more > maxMessageBytes && message.length > 0) {
      yield message;
      message = [];
      bytes = 0;
    }
    message.push(change);
    bytes += more;
  }
  if (message.length > 0) yield message;
}
