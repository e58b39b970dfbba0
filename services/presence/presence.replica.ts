import { randomUUID } from 'node:crypto';
import type { Bus, EventEnvelope, Following } from '../../shared/fanout/bus.ts';
import {
  gatewayLeaseMs,
  type PresenceBeat,
  type PresenceChange,
  type PresenceHeartbeat,
  type PresenceSnapshot,
  type PresentUser,
  presenceTopics as topics,
} from '../../shared/fanout/presence.notices.ts';
import type { Config } from '../../shared/runtime/config.ts';
import type { Log } from '../../shared/runtime/log.ts';
import { ownerOf } from '../../shared/runtime/rendezvous.ts';
import { type Edge, Edges } from './edges.rules.ts';
import { PresenceClock } from './presence.clock.ts';
import { lastEdges } from './presence.memory.ts';
import { PresenceIndex } from './presence.rules.ts';

/** Milliseconds after which a silent replica's users are told of by the others. */
const peerLeaseMs = 1_500;
/** Edges on their way to the bus; the rest waits for the next tick. */
const maxEmitting = 2_000;
const maxPeers = 100;
/** Milliseconds for the bus to hand an edge back that it took; then it is emitted again, under the same id. */
const echoMs = 10_000;
/** Milliseconds within which gateways answer whoever starts, and after which it starts all the same. */
const settleMs = 300;
const maxSettleMs = 3_000;

export interface ReplicaDeps {
  bus: Bus;
  log: Log;
  broadcast: Config['presenceBroadcast'];
}

/**
 * One of the processes that know who is online. Each holds the whole index, as gateways report to all of them; the
 * edges of a user are told by the one that owns the user.
 */
export class PresenceReplica {
  readonly index: PresenceIndex;
  readonly #deps: ReplicaDeps;
  readonly #name = randomUUID();
  readonly #edges: Edges;
  readonly #clock: PresenceClock;
  /** Other replicas that tell edges, and when they were heard. */
  readonly #peers = new Map<string, number>();
  /** Users whose edge is on its way, and until when it is waited for (ms, performance.now()). */
  readonly #emitting = new Map<string, number>();
  #following: Following[] = [];
  #ready = false;
  #offlineFrom = Number.POSITIVE_INFINITY;

  constructor(deps: ReplicaDeps) {
    this.#deps = deps;
    this.#clock = new PresenceClock(() => this.#tick());
    this.#edges = new Edges((id) => this.index.user(id) !== undefined);
    this.index = new PresenceIndex({
      appeared: (user) => this.#edges.appeared(plain(user), this.#clock.now),
      vanished: (user, lost) => this.#edges.vanished(plain(user), lost, this.#clock.now),
      entered: (user, rooms) => this.#edges.entered(plain(user), rooms),
      exited: (user, room) => this.#edges.exited(user, room),
    });
  }

  /** Resolves when the gateways that are there have been heard. */
  async start(): Promise<void> {
    const { bus } = this.#deps;
    const heard = new Set<string>();
    this.#following.push(
      await bus.follow({}, async (envelope) => {
        if (envelope.body.domain !== 'presence') return;
        heard.add(envelope.body.entity ?? '');
        this.#hear(envelope);
      }),
    );
    for (const envelope of lastEdges(await bus.newest('presence'))) {
      if (!heard.has(envelope.body.entity ?? '')) this.#hear(envelope);
    }
    this.#following.push(...(await this.#listen()));
    bus.onGap(() => this.index.renew(this.#clock.now));
    this.#ask();
    this.#clock.start(() => this.#beat());
    await this.#settled();
    this.#offlineFrom = this.#clock.now + gatewayLeaseMs;
    this.#ready = true;
  }

  async stop(): Promise<void> {
    this.#ready = false;
    this.#clock.stop();
    this.#beat(true);
    await Promise.all(this.#following.map((one) => one.stop()));
  }

  #listen(): Promise<Following[]> {
    const { bus } = this.#deps;
    const { index } = this;
    const now = () => this.#clock.now;
    const take = <T extends { gateway: string }>(topic: string, handle: (data: T) => boolean) =>
      bus.listen(topic, (data) => {
        if (!handle(data as T)) this.#ask((data as T).gateway);
      });
    return Promise.all([
      take<PresenceChange>(topics.change, (change) => index.change(change, now())),
      take<PresenceHeartbeat>(topics.heartbeat, (heartbeat) => index.heartbeat(heartbeat, now())),
      take<PresenceSnapshot>(topics.snapshot(this.#name), (part) => index.snapshot(part, now())),
      bus.listen(topics.beat, (data) => this.#hearBeat(data as PresenceBeat)),
    ]);
  }

  #ask(gateway?: string): void {
    this.#deps.bus.notify(topics.ask, { replica: this.#name, ...(gateway !== undefined && { gateway }) });
  }

  #beat(leaving = false): void {
    const beat: PresenceBeat = { replica: this.#name, at: performance.now(), ready: this.#ready };
    this.#deps.bus.notify(topics.beat, leaving ? { ...beat, leaving } : beat);
  }

  #hearBeat({ replica, at, ready, leaving }: PresenceBeat): void {
    if (replica === this.#name) this.#clock.heard(at);
    else if (leaving || !ready) this.#peers.delete(replica);
    else if (this.#peers.size < maxPeers || this.#peers.has(replica)) this.#peers.set(replica, this.#clock.now);
  }

  #tick(): void {
    const { now } = this.#clock;
    this.index.expire(now, gatewayLeaseMs);
    for (const [peer, heard] of this.#peers) if (now - heard > peerLeaseMs) this.#peers.delete(peer);
    if (!this.#ready) return;
    const mine = (userId: string) => ownerOf(userId, [this.#name, ...this.#peers.keys()]) === this.#name;
    const mayEnd = now >= this.#offlineFrom && this.index.whole;
    this.#emitDue(mine, mayEnd);
    if (this.#deps.broadcast === 'rooms') this.#tellSeen(mine);
  }

  #emitDue(mine: (userId: string) => boolean, mayEnd: boolean): void {
    const now = performance.now();
    for (const [userId, bound] of this.#emitting) if (bound < now) this.#emitting.delete(userId);
    const isFree = (userId: string) => !this.#emitting.has(userId) && mine(userId);
    for (const edge of this.#edges.due(this.#clock.now, isFree)) {
      if (this.#emitting.size >= maxEmitting) return;
      if (edge.online || mayEnd) this.#emit(edge);
    }
  }

  #emit({ user, online, id, rooms }: Edge): void {
    const { bus, log, broadcast } = this.#deps;
    this.#emitting.set(user.id, performance.now() + echoMs);
    const envelope: EventEnvelope = {
      id,
      hearers: { kind: broadcast === 'all' ? 'users' : 'admins' },
      body: {
        domain: 'presence',
        event: online ? 'online' : 'offline',
        entity: user.id,
        details: { ...user },
        at: new Date().toISOString(),
      },
      ...(broadcast === 'rooms' && { rooms: [...rooms] }),
    };
    bus.emit(envelope).catch((err) => {
      this.#emitting.delete(user.id);
      log.warn({ err, online }, 'an edge of presence could not be told; it is tried again');
    });
  }

  #hear({ id, body }: EventEnvelope): void {
    const { username, email } = body.details as unknown as PresentUser;
    const user = { id: body.entity ?? '', username, email };
    this.#emitting.delete(user.id);
    this.#edges.heard({ user, online: body.event === 'online', id }, this.#clock.now);
  }

  #tellSeen(mine: (userId: string) => boolean): void {
    for (const { user, rooms } of this.#edges.seen(mine)) {
      this.#deps.bus.notify(topics.seen, { user, rooms, at: new Date().toISOString() });
    }
  }

  /** On a bus that says nothing the process starts all the same; it tells nothing before it hears itself. */
  async #settled(): Promise<void> {
    const bound = performance.now() + maxSettleMs;
    const isSettled = () => this.#clock.now >= settleMs && this.index.whole;
    while (!isSettled() && performance.now() < bound) await this.#clock.step();
  }
}

/** Without what the index keeps beside it. */
const plain = ({ id, username, email }: PresentUser): PresentUser => ({ id, username, email });
