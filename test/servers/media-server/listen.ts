import type { Server } from 'node:net';

/** Listens on `127.0.0.1:8554` or `:8554`. @throws Error where the address is in use */
export function listen(server: Server, address: string): Promise<void> {
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, colon) || undefined;
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(Number(address.slice(colon + 1)), host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
