import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server } from 'socket.io';

export interface SocketioServer {
  io: Server;
  url: string;
  close(): Promise<void>;
}

/** A Socket.IO server of this process: on a free port, or on one that was used before. */
export async function startSocketio(port = 0): Promise<SocketioServer> {
  const http = createServer();
  const io = new Server(http, { connectionStateRecovery: {} });
  await new Promise<void>((resolve, reject) => {
    http.once('error', reject);
    http.listen(port, '127.0.0.1', resolve);
  });
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  return { io, url, close: () => io.close() };
}
