import { Failure } from '../../shared/contracts/index.ts';
import type { Bus } from '../../shared/fanout/bus.ts';
import { toFailure } from '../../shared/runtime/failure.ts';
import type { Log } from '../../shared/runtime/log.ts';
import type { Principal } from '../../shared/runtime/principal.ts';
import type { Authenticator, Dispatcher } from '../core/dispatch.types.ts';
import type { Envelope } from '../core/envelope.ts';
import type { Limit } from '../core/limits.ts';
import type { GatewayMetrics } from '../core/metrics.ts';
import { failureTopic } from '../core/mqtt-acl.rules.ts';
import { impersonal } from '../core/personal.ts';
import type { BrokerClient, Incoming } from './broker.ts';
import { type EventTopics, eventTopics, readRequest, renderError, renderResult } from './codec.ts';

export interface MqttGatewayConfig {
  /** Without a slash at either end. */
  readonly baseTopic: string;
  readonly eventTopics: EventTopics;
  /** Clients that are not logged in may hear events: what is personal in them is left out. */
  readonly isOpen: boolean;
  /** Milliseconds `stop` waits for requests that run; default 10,000, the longest a command takes. */
  readonly drainMs?: number;
}

export interface MqttGatewayDeps {
  readonly broker: BrokerClient;
  readonly dispatcher: Dispatcher;
  readonly authenticator: Authenticator;
  readonly bus: Bus;
  readonly log: Log;
  readonly config: MqttGatewayConfig;
  readonly metrics?: Pick<GatewayMetrics, 'packet' | 'event'>;
  /** Messages of one connection where the broker is ours, else of one user. */
  readonly limit?: Limit;
}

export interface MqttGateway {
  /** Takes no more work, finishes what runs, disconnects. */
  stop(): Promise<void>;
  /** Whether requests reach this process. */
  healthy(): boolean;
}

const defaultDrainMs = 10_000;
const jsonType = 'application/json';

/** Answers requests and publishes the events of the bus, each by one gateway of the tier. */
export async function startMqttGateway(deps: MqttGatewayDeps): Promise<MqttGateway> {
  const { broker, bus, config, metrics } = deps;
  await broker.serve((incoming) => handle(incoming, deps));
  const following = await bus.follow({ tier: 'mqtt' }, async (envelope) => {
    const { body, hearers } = envelope;
    if (hearers.kind === 'services') return;
    const topics = eventTopics(body, config.baseTopic, config.eventTopics);
    await broker.publish(topics, JSON.stringify(config.isOpen ? impersonal(body) : body), envelope);
    metrics?.event(body.domain, body.event);
    for (const _ of topics) metrics?.packet('mqtt', 'out');
  });
  return {
    healthy: () => broker.healthy(),
    async stop() {
      await following.stop();
      await broker.drain(config.drainMs ?? defaultDrainMs);
      await broker.close();
    },
  };
}

async function handle(incoming: Incoming, deps: MqttGatewayDeps): Promise<void> {
  const { config, metrics } = deps;
  metrics?.packet('mqtt', 'in');
  const read = readRequest(incoming, config.baseTopic);
  if ('failure' in read) {
    const topic = read.topic ?? failureTopic(config.baseTopic);
    return answer(incoming, topic, renderError(read.failure, read.requestId), deps, read.topic !== undefined);
  }
  if (isExpired(incoming)) return;
  await answer(incoming, read.topic, await run(read.request, incoming, deps), deps, true);
}

/** The payload of the answer, whatever happens. */
async function run(envelope: Envelope, incoming: Incoming, deps: MqttGatewayDeps): Promise<string | Buffer> {
  const { token, ...request } = envelope;
  try {
    const principal = await authenticate(token, incoming, deps);
    return renderResult(await deps.dispatcher.dispatch(request, principal, 'mqtt', 'jsonText'));
  } catch (error) {
    const failure = toFailure(error);
    if (!(error instanceof Failure)) deps.log.error({ requestId: request.requestId, err: error }, 'request failed');
    return renderError(failure, request.requestId);
  }
}

/** A token in the payload counts before the login of the connection; without either the caller is nobody. */
async function authenticate(
  token: string | undefined,
  { asker }: Incoming,
  { authenticator, limit }: MqttGatewayDeps,
): Promise<Principal> {
  if (asker) await limit?.take(asker.id);
  const principal =
    token === undefined ? (asker?.principal ?? authenticator.nobody()) : await authenticator.bearer(token);
  if (!asker && principal.kind !== 'anonymous') await limit?.take(principal.id);
  return principal;
}

/** `echo`: failures repeat nothing of what was sent, the correlation data neither. */
async function answer(
  incoming: Incoming,
  topic: string,
  payload: string | Buffer,
  { broker, log, metrics }: MqttGatewayDeps,
  echo: boolean,
): Promise<void> {
  const { correlationData, expiresAt } = incoming.properties;
  try {
    await broker.reply(incoming, {
      topic,
      payload,
      contentType: jsonType,
      ...(echo && correlationData && { correlationData }),
      ...(expiresAt !== undefined && { expiry: Math.max(1, Math.ceil((expiresAt - Date.now()) / 1_000)) }),
    });
    metrics?.packet('mqtt', 'out');
  } catch (error) {
    log.warn({ err: error }, 'an answer could not be published');
  }
}

const isExpired = ({ properties: { expiresAt } }: Incoming): boolean =>
  expiresAt !== undefined && expiresAt <= Date.now();
