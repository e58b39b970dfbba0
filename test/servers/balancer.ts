import { connect, createServer, type Socket } from 'node:net';
import { freePort } from './ports.ts';

export interface Balancer {
  readonly url: string;
  close(): Promise<void>;
}

/** A TCP load balancer: each connection goes to the next server that takes it. */
export async function startBalancer(urls: readonly string[]): Promise<Balancer> {
  const ports = urls.map((url) => Number(new URL(url).port));
  const sockets = new Set<Socket>();
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => sockets.delete(socket));
  };
  let turn = 0;
  const server = createServer((inner) => {
    keep(inner);
    forward(inner, ports.length);
  });

  function forward(inner: Socket, tries: number): void {
    if (tries === 0 || inner.destroyed) return void inner.destroy();
    const outer = connect(ports[turn++ % ports.length] as number, '127.0.0.1');
    outer.once('error', () => forward(inner, tries - 1));
    outer.once('connect', () => {
      outer.removeAllListeners('error');
      keep(outer);
      inner.pipe(outer).pipe(inner);
      inner.once('close', () => outer.destroy());
      outer.once('close', () => inner.destroy());
    });
  }

  const port = await freePort();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
