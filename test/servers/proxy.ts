import { connect, createServer, type Socket } from 'node:net';
import { freePort } from './ports.ts';

export interface TcpProxy {
  readonly port: number;
  /** Breaks every connection and refuses new ones, until `restore()`. */
  cut(): void;
  /** Lets connections stand but carries nothing, as a half-open link does, until `restore()`. */
  stall(): void;
  restore(): void;
  close(): Promise<void>;
}

/** A TCP proxy on 127.0.0.1 in front of a server's port, for faults of the network between the two. */
export async function startProxy(target: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let state: 'open' | 'cut' | 'stalled' = 'open';
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => sockets.delete(socket));
  };
  const server = createServer((inner) => {
    if (state === 'cut') return inner.destroy();
    const outer = connect(target, '127.0.0.1');
    for (const [from, to] of [
      [inner, outer],
      [outer, inner],
    ] as const) {
      keep(from);
      from.once('close', () => to.destroy());
      from.on('data', (chunk) => {
        if (state === 'open') to.write(chunk);
      });
    }
  });
  const breakAll = () => {
    for (const socket of sockets) socket.destroy();
  };
  const port = await freePort();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', resolve);
  });
  return {
    port,
    cut() {
      state = 'cut';
      breakAll();
    },
    stall() {
      state = 'stalled';
    },
    restore() {
      // What a stalled connection should have carried is gone: it cannot go on.
      if (state === 'stalled') breakAll();
      state = 'open';
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        breakAll();
      }),
  };
}
