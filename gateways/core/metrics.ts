import { Counter, Histogram, type Registry } from 'prom-client';
import type { Command, ErrorCode } from '../../shared/contracts/index.ts';
import type { Protocol } from './dispatch.types.ts';

export interface RequestMetrics {
  /** `command` is absent where the client named none that exists: its names never become labels. */
  observe(protocol: Protocol, command: Command | undefined, code: ErrorCode | 'OK', milliseconds: number): void;
}

export interface GatewayMetrics extends RequestMetrics {
  registry: Registry;
  /** Messages to and from clients. */
  packet(protocol: Protocol, direction: 'in' | 'out'): void;
  event(domain: string, event: string): void;
  /** A bound was hit: somebody was refused or cut. The limit's name is ours, never a client's. */
  limitHit(protocol: Protocol, limit: string): void;
}

interface Children {
  count: Counter.Internal;
  duration: Histogram.Internal<string>;
}

/** Looking a child up by its labels costs more than counting does, so the children are kept: one per command and code. */
export function gatewayMetrics(registry: Registry): GatewayMetrics {
  const requests = new Counter({
    name: 'trigate_requests_total',
    help: 'Commands by protocol and outcome',
    labelNames: ['protocol', 'module', 'command', 'code'],
    registers: [registry],
  });
  const durations = new Histogram({
    name: 'trigate_request_duration_seconds',
    help: 'Time from the command to its answer',
    labelNames: ['protocol', 'module', 'command'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 2.5, 10],
    registers: [registry],
  });
  const packets = new Counter({
    name: 'trigate_packets_total',
    help: 'Messages from and to clients',
    labelNames: ['protocol', 'direction'],
    registers: [registry],
  });
  const events = new Counter({
    name: 'trigate_events_total',
    help: 'Service events handed to clients',
    labelNames: ['domain', 'event'],
    registers: [registry],
  });
  const limits = new Counter({
    name: 'trigate_limits_hit_total',
    help: 'Times somebody was refused or cut because of a limit',
    labelNames: ['protocol', 'limit'],
    registers: [registry],
  });
  const children = new Map<string, Children>();

  function childrenOf(protocol: Protocol, module: string, command: string, code: string): Children {
    const key = `${protocol} ${module} ${command} ${code}`;
    const known = children.get(key);
    if (known) return known;
    const made = {
      count: requests.labels(protocol, module, command, code),
      duration: durations.labels(protocol, module, command),
    };
    children.set(key, made);
    return made;
  }

  return {
    registry,
    observe(protocol, command, code, milliseconds) {
      const { count, duration } = childrenOf(protocol, command?.module ?? 'none', command?.command ?? 'none', code);
      count.inc();
      duration.observe(milliseconds / 1_000);
    },
    packet: (protocol, direction) => packets.inc({ protocol, direction }),
    event: (domain, event) => events.inc({ domain, event }),
    limitHit: (protocol, limit) => limits.inc({ protocol, limit }),
  };
}
