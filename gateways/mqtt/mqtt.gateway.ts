import { Failure } from '../../shared/contracts/index.ts';
import type { Bus } from '../../shared/fanout/bus.ts';
import { Line } from '../../shared/mailbox/line.ts';
import { toFailure } from '../../shared/runtime/failure.ts';
import type { Log } from '../../shared/runtime/log.ts';
import type { Principal } from '../../shared/runtime/principal.ts';
import type { Authenticator, Dispatcher } from '../core/dispatch.types.ts';
import type { Envelope } from '../core/envelope.ts';
import type { Limit } from '../core/limits.ts';
import type { GatewayMetrics } from '../core/metrics.ts';
import { failureTopic } from '../core/mqtt-acl.rules.ts';
import { impersonal } from '../core/personal.ts';
import { type BrokerClient, type Incoming, maxWaiting, maxWaitingBytes } from './broker.ts';
import { type EventTopics, eventTopics, type Parsed, readRequest, renderError, renderResult } from './codec.ts';
import { Running } from './running.ts';

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
  /** Messages of all whom neither the broker nor a token tells apart, and of bad tokens. */
  readonly strangersLimit?: Limit;
}

interface Gateway extends MqttGatewayDeps {
  /** Requests of clients nobody knows: they wait for each other, and not in the places of those who are known. */
  readonly strangers: Line;
  readonly running: Running;
}

export interface MqttGateway {
  /** Takes no more work, finishes what runs, disconnects. */
  stop(): Promise<void>;
  /** Whether requests reach this process. */
  healthy(): boolean;
}

const defaultDrainMs = 10_000;
const jsonType = 'application/json';
/** Requests of strangers that run at a time: log-ins, most of all, each of which costs the auth service 10 ms or more. */
const strangersPlaces = 16;
/** Whose requests they are nobody knows: they are counted under one key. */
const everyStranger = '';
/** Seconds. */
const retryAfter = 1;

/** Answers requests and publishes the events of the bus, each by one gateway of the tier. */
export async function startMqttGateway(deps: MqttGatewayDeps): Promise<MqttGateway> {
  const { broker, bus, config, metrics } = deps;
  const strangers = new Line({ places: strangersPlaces, waiting: maxWaiting, bytes: maxWaitingBytes });
  const running = new Running();
  await broker.serve((incoming) => handle(incoming, { ...deps, strangers, running }));
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
      const end = Date.now() + (config.drainMs ?? defaultDrainMs);
      await broker.drain(end - Date.now());
      await running.idle(end - Date.now());
      await broker.close();
    },
  };
}

async function handle(incoming: Incoming, deps: Gateway): Promise<void> {
  const { config, metrics } = deps;
  metrics?.packet('mqtt', 'in');
  const read = readRequest(incoming, config.baseTopic);
  if ('failure' in read) {
    const topic = read.topic ?? failureTopic(config.baseTopic);
    return answer(incoming, topic, renderError(read.failure, read.requestId), deps, read.topic !== undefined);
  }
  const refusal = incoming.overloaded ? tooMany() : await begun(incoming, read, deps);
  if (refusal) await answer(incoming, read.topic, renderError(refusal, read.request.requestId), deps, true);
}

const tooMany = () => new Failure('UNAVAILABLE', 'Too many requests wait', { retryAfter });

/** Runs a request and answers it, one of a stranger when it is its turn; says why not where it does neither. */
async function begun(incoming: Incoming, { topic, request }: Parsed, deps: Gateway): Promise<Failure | undefined> {
  const work = async () => {
    if (!isExpired(incoming)) await answer(incoming, topic, await run(request, incoming, deps), deps, true);
  };
  if (!isStranger(incoming, request, deps)) {
    await work();
    return undefined;
  }
  try {
    await deps.strangersLimit?.take(everyStranger);
  } catch (error) {
    return toFailure(error);
  }
  const begun = deps.strangers.run(incoming.payload.length, work);
  if (begun) deps.running.add(begun);
  return begun ? undefined : tooMany();
}

const isStranger = ({ asker }: Incoming, { token }: Envelope, { authenticator }: Gateway): boolean =>
  !asker && token === undefined && authenticator.nobody().kind === 'anonymous';

/** The payload of the answer, whatever happens. */
async function run(envelope: Envelope, incoming: Incoming, deps: Gateway): Promise<string | Buffer> {
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
async function authenticate(token: string | undefined, incoming: Incoming, deps: Gateway): Promise<Principal> {
  const { asker } = incoming;
  const { authenticator, limit } = deps;
  if (asker) await limit?.take(asker.id);
  if (token === undefined && asker) return asker.principal;
  const principal = token === undefined ? authenticator.nobody() : await bearerOf(token, incoming, deps);
  if (!asker && principal.kind !== 'anonymous') await limit?.take(principal.id);
  return principal;
}

/** A good one gets through, however many bad ones strangers try. */
async function bearerOf(token: string, { asker }: Incoming, deps: Gateway): Promise<Principal> {
  try {
    return await deps.authenticator.bearer(token);
  } catch (error) {
    if (!asker && toFailure(error).type === 'UNAUTHORIZED') await deps.strangersLimit?.take(everyStranger);
    throw error;
  }
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
