import { createServer } from 'node:net';

/**
 * Below the range from which the system takes the source ports of outgoing connections: a client that keeps dialling a
 * dead server on a port of that range may one day be connected to itself, and the server can then not come back.
 */
const lowest = 15_000;
const highest = 31_999;

const isFree = (port: number, host: string): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });

/** A TCP port nobody listens on now. Another process may take it first: start servers with a second try. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const port = lowest + Math.floor(Math.random() * (highest - lowest + 1));
    if (await isFree(port, host)) return port;
  }
  throw new Error(`no free port between ${lowest} and ${highest}`);
}
