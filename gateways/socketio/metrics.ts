import { Counter, Gauge, type Registry } from 'prom-client';
import type { Server } from 'socket.io';
import type { Connection } from '../../shared/fanout/adapter/engine.ts';

export function socketMetrics(registry: Registry) {
  const active = new Gauge({
    name: 'socket_server_active_connections',
    help: 'Number of active socket connections',
    registers: [registry],
  });
  const total = new Counter({
    name: 'socket_server_connections_total',
    help: 'Total number of connections',
    labelNames: ['authenticated', 'transport'],
    registers: [registry],
  });
  return {
    connected(transport: string) {
      active.inc();
      total.inc({ authenticated: 'true', transport });
    },
    refused: (transport: string) => total.inc({ authenticated: 'false', transport }),
    disconnected: () => active.dec(),
  };
}

interface Queued {
  data?: string | Buffer;
  options?: { wsPreEncodedFrame?: readonly Buffer[] };
}

const bytesOf = ({ data, options }: Queued): number =>
  options?.wsPreEncodedFrame?.reduce((sum, { length }) => sum + length, 0) ?? data?.length ?? 0;

/** Bytes that wait in this process for clients to read, counted when they are asked for. */
export function unreadBytes(registry: Registry, io: Server): void {
  new Gauge({
    name: 'trigate_unread_bytes',
    help: 'Bytes that wait for Socket.IO clients to read',
    registers: [registry],
    collect() {
      let bytes = 0;
      const { clients } = io.engine as unknown as { clients: Record<string, Connection> };
      for (const { writeBuffer, transport } of Object.values(clients)) {
        bytes += transport.socket?._socket?.writableLength ?? 0;
        for (const queued of writeBuffer as Queued[]) bytes += bytesOf(queued);
      }
      this.set(bytes);
    },
  });
}
