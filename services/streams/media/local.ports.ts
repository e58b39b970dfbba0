import { createServer } from 'node:net';

/** Below the range from which systems take the ports of outgoing connections, which could be the very one. */
const [lowest, highest] = [15_000, 31_999];

/** A TCP port of loopback nobody listens on now; with 'even', the one after it as well. */
export async function freePort(kind: 'any' | 'even' = 'any'): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const drawn = lowest + Math.floor(Math.random() * (highest - lowest));
    const port = kind === 'even' ? drawn - (drawn % 2) : drawn;
    if ((await isFree(port)) && (kind === 'any' || (await isFree(port + 1)))) return port;
  }
  throw new Error(`no free port between ${lowest} and ${highest}`);
}

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
