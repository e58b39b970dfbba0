import { Counter, Gauge, type Registry } from 'prom-client';

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
