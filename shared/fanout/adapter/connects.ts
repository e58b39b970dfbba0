import type { Client } from './engine.ts';
import type { Connecting } from './options.ts';

/** Who connects to a namespace at this moment, for whoever decides about its session: Socket.IO tells its id only. */
export class Connects {
  #now: Connecting | undefined;

  get now(): Connecting {
    return this.#now ?? { request: undefined, auth: {} };
  }

  watch(nsp: { _createSocket(client: Client, auth: Record<string, unknown>): unknown }): void {
    const create = nsp._createSocket.bind(nsp);
    nsp._createSocket = (client: Client, auth: Record<string, unknown>) => {
      this.#now = { request: client.request, auth };
      try {
        return create(client, auth);
      } finally {
        this.#now = undefined;
      }
    };
  }
}
