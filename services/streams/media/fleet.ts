import { createHash } from 'node:crypto';
import { EventEmitter } from 'node:events';
import type { Log } from '../../../shared/runtime/log.ts';
import type { Fleet, FleetEvent } from './fleet.types.ts';
import type { HookContext } from './hooks.rules.ts';
import type { Wanted } from './reconciler.ts';
import { type Timing, timing, WatchedServer } from './server.ts';

export interface ServerPlace {
  /** URL of its control API, without `/v3`. */
  apiUrl: string;
  /** Under which we reach what is not its API; the API's host where it is not given. */
  address?: string;
  /** Under which viewers reach it; the API's host where it is not given. */
  host?: string;
  /** Instead of the one derived from the URL, where that may change. */
  id?: string;
}

export interface FleetOptions {
  servers: readonly ServerPlace[];
  /** What is the same for all of them. */
  context: Omit<HookContext, 'server'>;
  /** Paths a server should have; asked at each comparison. Feeds of live cameras are among them. */
  wanted(server: string): Promise<Wanted>;
  log: Log;
  timing?: Partial<Timing>;
}

/** Watches media servers and keeps their paths. Processes that share an installation may each have one. */
export function mediaFleet(options: FleetOptions): Fleet {
  const emitter = new EventEmitter().setMaxListeners(100);
  const servers = options.servers.map(({ apiUrl, address, host, id = serverId(apiUrl) }) => {
    const { hostname } = new URL(apiUrl);
    const log = options.log.child({ server: id });
    const server: WatchedServer = new WatchedServer({
      apiUrl,
      address: address ?? hostname.replace(/^\[|\]$/g, ''),
      host: host ?? hostname,
      context: { ...options.context, server: id },
      wanted: () => options.wanted(id),
      emit: (event) => emitter.emit(event, server),
      log,
      timing: { ...timing, ...options.timing },
    });
    return server;
  });
  return {
    servers,
    server: (id) => servers.find((server) => server.id === id),
    on(event: FleetEvent, listener) {
      emitter.on(event, listener);
      return () => emitter.off(event, listener);
    },
    start() {
      for (const server of servers) server.start();
    },
    async stop() {
      await Promise.all(servers.map((server) => server.stop()));
    },
  };
}

/** The same for every spelling of the URL; user name and password do not count. */
export function serverId(apiUrl: string): string {
  const { protocol, host, pathname } = new URL(apiUrl);
  const address = `${protocol}//${host}${pathname.replace(/\/+$/, '')}`;
  return createHash('sha256').update(address).digest('hex').slice(0, 12);
}
