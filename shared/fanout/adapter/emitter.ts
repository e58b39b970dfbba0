import { randomBytes } from 'node:crypto';
import type { NatsConnection } from 'nats';
import { type BusLog, silent } from './bus.log.ts';
import { linkOf } from './link.ts';
import { FanoutLog } from './log.ts';
import { audienceOf, fanoutNames, type NamespaceNames } from './names.ts';
import { keptId, Publisher } from './publisher.ts';
import { Recipients } from './recipients.ts';
import { Unconfirmed } from './unconfirmed.ts';
import { encodeMessage, encodePacket, encodeValue, type Header } from './wire.ts';

export interface EmitterOptions {
  /** That of the adapters; `sio`. */
  prefix?: string;
  /** Whether the servers have `connectionStateRecovery`; false. */
  recovery?: boolean;
  /** Milliseconds a count waits for servers at most; 500. */
  timeout?: number;
  log?: BusLog;
}

interface Scope {
  names: NamespaceNames;
  namespace: string;
  publisher: Publisher;
  recovery: boolean;
  /** Of a packet, as NATS was last configured. */
  maxBytes(): number;
  recipients: () => Recipients;
  newId(): string;
}

interface Flags {
  rooms: readonly string[];
  except: readonly string[];
  volatile?: boolean;
  compress?: boolean;
}

const finishMs = 1_000;

const listOf = (rooms: string | readonly string[]): readonly string[] => (typeof rooms === 'string' ? [rooms] : rooms);

/** Whom a packet is for. Each method but the last ones returns another one, as `io.to(…)` does. */
export class Broadcast {
  readonly #scope: Scope;
  readonly #flags: Flags;

  /** @internal */
  constructor(scope: Scope, flags: Flags = { rooms: [], except: [] }) {
    this.#scope = scope;
    this.#flags = flags;
  }

  to(rooms: string | readonly string[]): Broadcast {
    return this.#with({ rooms: [...new Set([...this.#flags.rooms, ...listOf(rooms)])] });
  }

  in(rooms: string | readonly string[]): Broadcast {
    return this.to(rooms);
  }

  except(rooms: string | readonly string[]): Broadcast {
    return this.#with({ except: [...new Set([...this.#flags.except, ...listOf(rooms)])] });
  }

  get volatile(): Broadcast {
    return this.#with({ volatile: true });
  }

  compress(compress: boolean): Broadcast {
    return this.#with({ compress });
  }

  /** Publishes and does not wait. @throws RangeError where the packet is larger than NATS takes */
  emit(event: string, ...args: unknown[]): true {
    const { namespace, names, publisher, recovery, maxBytes } = this.#scope;
    const parts = encodePacket({ type: 2, nsp: namespace, data: [event, ...args] });
    const { audience, header } = this.#header();
    const subject = recovery ? names.log(audience) : names.live(audience);
    const data = encodeMessage(header, parts);
    if (data.length > maxBytes()) throw new RangeError(`a packet of ${data.length} bytes is larger than NATS takes`);
    publisher.publish(subject, data, { packet: recovery ? keptId(header) : undefined });
    return true;
  }

  /** Sockets that the packet is for, right after it was published. @returns those of servers that answered in time */
  async emitAndCount(event: string, ...args: unknown[]): Promise<number> {
    this.emit(event, ...args);
    return this.recipients();
  }

  /** How many sockets there are over the cluster; only servers with somebody of the audience take part. */
  recipients(): Promise<number> {
    const { names, publisher, recipients } = this.#scope;
    const { audience, header } = this.#header();
    return recipients().count((reply) => {
      publisher.publish(
        names.live(audience),
        encodeMessage({ ...header, control: true }, encodeValue({ count: reply })),
      );
    });
  }

  #header(): { audience: string; header: Header } {
    const { audience, rooms } = audienceOf(this.#flags.rooms);
    return { audience, header: { ...this.#flags, rooms, id: this.#scope.newId() } };
  }

  #with(flags: Partial<Flags>): Broadcast {
    return new Broadcast(this.#scope, { ...this.#flags, ...flags });
  }
}

export interface Emitter {
  /** The namespace `/`; as `of('/')`. */
  to: Broadcast['to'];
  in: Broadcast['in'];
  except: Broadcast['except'];
  emit: Broadcast['emit'];
  recipients: Broadcast['recipients'];
  of(namespace: string): Broadcast;
  /** Hands what waits to NATS, within a second. The connection stays: it belongs to the caller. */
  close(): Promise<void>;
}

/** Sends to the clients of a cluster of adapters, from a process that has no Socket.IO server. */
export function createEmitter(connection: NatsConnection, options: EmitterOptions = {}): Emitter {
  const link = linkOf(connection);
  const fanout = fanoutNames(options.prefix ?? 'sio');
  const author = randomBytes(5).toString('hex');
  const unconfirmed =
    options.recovery === true
      ? new Unconfirmed({ link, log: new FanoutLog(link, fanout), fanout, names: fanout.of('/'), author })
      : undefined;
  const publisher = new Publisher(link, options.log ?? silent, unconfirmed);
  const counts = new Map<string, Recipients>();
  let packets = 0;
  const of = (namespace: string): Broadcast => {
    const names = fanout.of(namespace);
    const recipients = () => {
      const known = counts.get(namespace) ?? new Recipients(link, names, publisher, options.timeout ?? 500);
      counts.set(namespace, known);
      return known;
    };
    const newId = () => `${author}${(packets++).toString(36)}`;
    const maxBytes = () => connection.info?.max_payload ?? Number.POSITIVE_INFINITY;
    const recovery = options.recovery ?? false;
    return new Broadcast({ names, namespace, publisher, recipients, newId, recovery, maxBytes });
  };
  const main = of('/');
  return {
    to: (rooms) => main.to(rooms),
    in: (rooms) => main.in(rooms),
    except: (rooms) => main.except(rooms),
    emit: (event, ...args) => main.emit(event, ...args),
    recipients: () => main.recipients(),
    of,
    async close() {
      await publisher.finish(finishMs);
      for (const recipients of counts.values()) recipients.close();
      publisher.close();
    },
  };
}
