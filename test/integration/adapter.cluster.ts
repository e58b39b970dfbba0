import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { NatsConnection } from 'nats';
import { Server, type ServerOptions, type Socket as ServerSocket } from 'socket.io';
import { io as connectClient, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client';
import { type AdapterOptions, createAdapter } from '../../shared/fanout/adapter/index.ts';
import { connectNats } from '../../shared/fanout/nats.connection.ts';
import { calmly } from '../system/calm.ts';

export type ClientOptions = Partial<ManagerOptions & SocketOptions>;

export interface Node {
  io: Server;
  nats: NatsConnection;
  url: string;
  /** Connects a client and waits until both sides know. */
  client(options?: ClientOptions, namespace?: string): Promise<{ client: Socket; socket: ServerSocket }>;
}

export interface Cluster {
  nodes: Node[];
  close(): Promise<void>;
}

let clusters = 0;

export interface ClusterOptions {
  count?: number;
  server?: Partial<ServerOptions>;
  adapter?: AdapterOptions;
}

/** Socket.IO servers with the adapter, each on a NATS connection of its own. */
export async function startCluster(natsUrl: string, options: ClusterOptions = {}): Promise<Cluster> {
  clusters += 1;
  const prefix = `c${process.pid}x${clusters}`;
  const clients: Socket[] = [];
  const start = async (): Promise<Node> => {
    const nats = await connectNats([natsUrl], 'adapter');
    const http = createServer();
    const adapter = createAdapter(nats, { prefix, recovery: { storage: 'memory' }, ...options.adapter });
    const io = new Server(http, { ...options.server, adapter });
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
    return { io, nats, url, client: (wanted, namespace = '/') => join(io, `${url}${namespace}`, clients, wanted) };
  };
  const nodes = await Promise.all(Array.from({ length: options.count ?? 3 }, start));
  await Promise.all(nodes.map((node) => knowsOthers(node, nodes.length)));
  return {
    nodes,
    async close() {
      for (const client of clients) client.disconnect();
      await Promise.all(nodes.map(({ io }) => io.close()));
      await Promise.all(nodes.map(({ nats }) => nats.close()));
    },
  };
}

async function join(io: Server, url: string, clients: Socket[], options: ClientOptions = {}) {
  const client = connectClient(url, { forceNew: true, transports: ['websocket'], ...options });
  clients.push(client);
  await new Promise<void>((resolve, reject) => {
    client.once('connect', resolve);
    client.once('connect_error', reject);
  });
  const socket = io.of(new URL(url).pathname).sockets.get(client.id ?? '');
  if (!socket) throw new Error('the server does not know the client');
  return { client, socket };
}

/** A server learns of the others by their signs of life. */
export async function knowsOthers({ io }: Pick<Node, 'io'>, count: number, namespace = '/'): Promise<void> {
  await until(async () => (await io.of(namespace).adapter.serverCount()) === count, 'every server knows the others');
}

export async function until(is: () => boolean | Promise<boolean>, what: string, ms = 10_000): Promise<void> {
  const bound = calmly(ms);
  const deadline = Date.now() + bound;
  while (!(await is())) {
    if (Date.now() > deadline) throw new Error(`not within ${bound} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** What clients hear of some events, without the offset that recovery adds. */
export class Heard {
  readonly values: unknown[] = [];

  constructor(client: Socket, ...events: string[]) {
    for (const event of events) client.on(event, (value) => this.values.push(value));
  }

  async times(count: number): Promise<unknown[]> {
    await until(() => this.values.length >= count, `${count} packets, there are ${this.values.length}`);
    return this.values;
  }
}
