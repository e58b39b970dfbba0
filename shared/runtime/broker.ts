import { randomUUID } from 'node:crypto';
import moleculer, { type ServiceBroker } from 'moleculer';
import type { NatsConnection } from 'nats';
import { Failure } from '../contracts/index.ts';
import { FailureRegenerator } from './failure.ts';
import type { Log } from './log.ts';
import { NatsTransporter } from './nats.transporter.ts';
import { ContractValidator } from './validator.ts';

/** Milliseconds after which a slow command is answered TIMEOUT. */
export const requestTimeoutMs = 10_000;
/**
 * How often a retryable failure of an idempotent command is tried again; others never are. A request of any command that
 * NATS says reached nobody is none: the transporter sends it to another process.
 */
export const idempotentRetries = 2;

export interface BrokerOptions {
  /** Begins the node id: `gateway-http`, `service-auth`, … */
  role: string;
  log: Log;
  /** Absent in the one-process mode: calls stay in the process. */
  connection?: NatsConnection;
  /** Begins the NATS subjects of calls, as it does those of the bus. */
  namespace?: string;
  requestTimeoutMs?: number;
}

type LogHandler = (
  type: keyof Log & ('error' | 'warn' | 'info' | 'debug' | 'trace' | 'fatal'),
  args: unknown[],
) => void;

/** Moleculer's own log lines, from `warn` up: its `info` tells of its inner life on every start. */
class BridgeLogger extends moleculer.Loggers.Base<Record<string, unknown>> {
  private readonly log: Log;
  constructor(log: Log) {
    super({});
    this.log = log;
  }
  override getLogHandler(bindings: { mod?: string } | null): LogHandler {
    return (type, args) => {
      if (type !== 'warn' && type !== 'error' && type !== 'fatal') return;
      const texts = args.map((arg) => (arg instanceof Error ? arg.message : typeof arg === 'string' ? arg : ''));
      this.log[type]({ module: bindings?.mod, text: texts.filter(Boolean).join(' ').slice(0, 500) }, 'moleculer');
    };
  }
}

export const isServerFault = (error: unknown): boolean => ((error as { code?: number }).code ?? 500) >= 500;

export function createBroker(options: BrokerOptions): ServiceBroker {
  const timeout = options.requestTimeoutMs ?? requestTimeoutMs;
  const broker = new moleculer.ServiceBroker({
    nodeID: `${options.role}-${randomUUID()}`,
    namespace: options.namespace ?? 'trigate',
    logger: new BridgeLogger(options.log) as never,
    ...(options.connection && { transporter: new NatsTransporter(options.connection) as never }),
    serializer: 'JSON',
    validator: new ContractValidator() as never,
    errorRegenerator: new FailureRegenerator() as never,
    requestTimeout: timeout,
    // The number of retries comes with each call: only those of idempotent commands have any.
    retryPolicy: { enabled: true, retries: 0, delay: 50, maxDelay: 200, factor: 2, check: isRetryable as never },
    // Half of at least 20 calls in 10 s failing with a server fault rests an endpoint for 2 s.
    circuitBreaker: {
      enabled: true,
      threshold: 0.5,
      windowTime: 10,
      minRequestCount: 20,
      halfOpenTime: 2_000,
      check: isServerFault as never,
    },
    bulkhead: { enabled: true, concurrency: 256, maxQueueSize: 1_024 },
    heartbeatInterval: 1,
    heartbeatTimeout: 3,
    registry: { preferLocal: true, strategy: 'RoundRobin' },
    // Whoever waits for longer has been answered TIMEOUT by then.
    tracking: { enabled: true, shutdownTimeout: timeout + 1_000 },
    // Both cost more than they tell: the gateways measure with prom-client (metrics halved the calls per second).
    metrics: false,
    tracing: false,
    internalServices: false,
    skipProcessEventRegistration: true,
  });
  if (!(broker.validator instanceof ContractValidator)) throw new Error('the contract validator is not in its slot');
  return broker;
}

/**
 * Only what kept a call from reaching its service is tried again: what a service itself answered (a Failure) stands,
 * a timeout has cost the client its patience, and a retry would lengthen a full queue.
 */
function isRetryable(error: unknown): boolean {
  const { retryable, type } = error as { retryable?: boolean; type?: string };
  return retryable === true && !(error instanceof Failure) && type !== 'REQUEST_TIMEOUT' && type !== 'QUEUE_FULL';
}
