import type { NatsConnection } from 'nats';
import { type PresenceReporter, presenceReporter } from '../../gateways/core/presence.reporter.ts';
import { PresenceReplica } from '../../services/presence/presence.replica.ts';
import type { Bus, EventEnvelope } from '../../shared/fanout/bus.ts';
import { natsBus } from '../../shared/fanout/nats.bus.ts';
import { connectNats } from '../../shared/fanout/nats.connection.ts';
import { silentLog } from '../../shared/runtime/log.ts';

/** What a process of the cluster holds: a connection of its own, as if it were one. */
interface Process {
  readonly connection: NatsConnection;
  readonly bus: Bus;
  /** As SIGKILL: nothing is said. */
  kill(): Promise<void>;
}
export interface Gateway extends Process {
  readonly reporter: PresenceReporter;
  readonly name: string;
  join(user: string, session?: string): void;
}
export interface Replica extends Process {
  readonly replica: PresenceReplica;
}

/** Gateways and presence replicas of one NATS server, in this process, and what is told of users. */
export class PresenceCluster {
  readonly url: string;
  readonly told: EventEnvelope[] = [];
  readonly #broadcast: 'all' | 'rooms' | 'off';
  readonly #processes = new Set<Process>();
  readonly #replicas = new Set<PresenceReplica>();
  #count = 0;

  constructor(url: string, broadcast: 'all' | 'rooms' | 'off' = 'all') {
    this.url = url;
    this.#broadcast = broadcast;
  }

  /** Follows what is told from now on. */
  async watch(): Promise<void> {
    const { bus } = await this.#process();
    await bus.follow({}, async (envelope) => void this.told.push(envelope));
  }

  async gateway(url = this.url): Promise<Gateway> {
    this.#count += 1;
    const name = `gateway-${this.#count}`;
    const process = await this.#process(url);
    const reporter = await presenceReporter(name, process.bus);
    const join = (user: string, id = `${name}-${user}`) =>
      reporter.joined({
        id,
        protocol: 'socketio',
        user: { id: user, username: user, email: null },
        since: new Date().toISOString(),
      });
    return { ...process, name, reporter, join };
  }

  async replica(url = this.url): Promise<Replica> {
    const process = await this.#process(url);
    const replica = new PresenceReplica({ bus: process.bus, log: silentLog, broadcast: this.#broadcast });
    this.#replicas.add(replica);
    await replica.start();
    return { ...process, replica };
  }

  /** `on` and `off` of each user, in the order they were told. */
  edges(): Map<string, string[]> {
    const edges = new Map<string, string[]>();
    for (const { body } of this.told) {
      const entity = body.entity as string;
      edges.set(entity, [...(edges.get(entity) ?? []), body.event === 'online' ? 'on' : 'off']);
    }
    return edges;
  }

  edgesOf(user: string): string {
    return (this.edges().get(user) ?? []).join(' ');
  }

  async close(): Promise<void> {
    await Promise.all([...this.#processes].map((process) => process.kill()));
    await Promise.all([...this.#replicas].map((replica) => replica.stop()));
  }

  async #process(url = this.url): Promise<Process> {
    const connection = await connectNats([url], 'presence test');
    const bus = await natsBus(connection, { prefix: 'presence' });
    const kill = async () => {
      this.#processes.delete(process);
      // First: nothing that ends may say goodbye.
      await connection.close();
      await bus.close();
    };
    const process: Process = { connection, bus, kill };
    this.#processes.add(process);
    return process;
  }
}
