import { randomUUID } from 'node:crypto';
import { Failure } from '../../shared/contracts/index.ts';
import type { ServiceEvent } from '../../shared/fanout/bus.ts';
import { JsonText } from '../../shared/runtime/json-text.ts';
import { type Envelope, readEnvelope, usableRequestId } from '../core/envelope.ts';
import { isGatewayTopic, responseTopic } from '../core/mqtt-acl.rules.ts';
import { decodeJson, findUnsafe, isNeverKey, quoted, unsafeFailure } from '../core/safe-json.ts';
import type { Incoming, RequestProperties } from './broker.ts';

/** Which of the two spellings of event topics are published: with a leading slash (seed 001), without, both. */
export type EventTopics = 'documented' | 'plain' | 'both';

/** A request with where its answer goes. */
export interface Parsed {
  readonly topic: string;
  readonly request: Envelope;
}

/** A request that is refused. Without a topic nobody can be answered: it is reported on failures. */
export interface Refused {
  readonly topic?: string;
  readonly requestId?: string;
  readonly failure: Failure;
}

const maxTopic = 1_024;
const nothing = Buffer.from('null');
/** `application/json`, `application/problem+json`, with parameters or without. */
const jsonType = /^\s*application\/(?:[\w.-]+\+)?json\s*(?:;.*)?$/i;
// biome-ignore lint/suspicious/noControlCharactersInRegex: a topic with these is refused
const noTopic = /[+#\u0000-\u001f\u007f-\u009f]/;

/** Reads one message. A refusal that has no topic quotes nothing of what was sent: anybody may hear it. */
export function readRequest({ payload, properties }: Incoming, base: string): Parsed | Refused {
  let value: unknown;
  try {
    value = decodeJson(payload);
  } catch (error) {
    return { failure: error as Failure };
  }
  const requestId = usableRequestId(value, 'mqtt');
  const topic = addressOf(requestId, properties, base);
  try {
    if (topic instanceof Failure) throw topic;
    assertContentType(properties);
    return { topic: topic ?? '', request: readChecked(value, requestId, topic, properties) };
  } catch (error) {
    return refusal(error as Failure, requestId, topic instanceof Failure ? undefined : topic, base, value);
  }
}

/** The answer as it is published; nothing at all where the command answers nothing. */
export function renderResult(result: unknown): string | Buffer {
  if (result instanceof JsonText) return result.bytes.equals(nothing) ? '' : result.bytes;
  return result === undefined || result === null ? '' : JSON.stringify(result);
}

/** {error: {code, message, details?, retryAfter?}, requestId?} */
export function renderError(failure: Failure, requestId?: string): string {
  const { type: code, message, data } = failure;
  return JSON.stringify({ error: { code, message, ...data }, requestId });
}

/** The topics of an event: events/<domain>/<entity|null>/<event> and stream/<domain>/<event>. */
export function eventTopics({ domain, entity, event }: ServiceEvent, base: string, which: EventTopics): string[] {
  const plain = [
    `${base}/events/${topicLevel(domain)}/${entity === null ? 'null' : topicLevel(entity)}/${topicLevel(event)}`,
    `${base}/stream/${topicLevel(domain)}/${topicLevel(event)}`,
  ];
  const documented = plain.map((topic) => `/${topic}`);
  return which === 'both' ? [...documented, ...plain] : which === 'plain' ? plain : documented;
}

/** A value as one level of a topic: what has a meaning in topics is percent-encoded, the rest stays readable. */
export function topicLevel(value: string): string {
  return (
    value
      .toWellFormed()
      // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is encoded
      .replace(/[%+#/\u0000-\u001f\u007f-\u009f]/g, (character) => encodeURIComponent(character))
  );
}

/**
 * Where the answer goes: the MQTT 5 response topic, else the topic of the request id; undefined where there is neither.
 * A response topic that only gateways publish on would let a client speak in their name.
 */
function addressOf(
  requestId: string | undefined,
  { responseTopic: asked }: RequestProperties,
  base: string,
): string | undefined | Failure {
  const usual = requestId === undefined ? undefined : responseTopic(base, requestId);
  if (asked === undefined || asked === usual) return usual;
  if (asked.length === 0 || asked.length > maxTopic || noTopic.test(asked) || !asked.isWellFormed()) {
    return new Failure('INVALID_REQUEST', 'The response topic is not a topic to publish on');
  }
  if (asked.startsWith('$') || isGatewayTopic(asked, base)) {
    return new Failure('INVALID_REQUEST', 'The response topic is one that only gateways publish on');
  }
  return asked;
}

function assertContentType({ contentType }: RequestProperties): void {
  if (contentType !== undefined && !jsonType.test(contentType)) throw new Failure('UNSUPPORTED_MEDIA_TYPE');
}

function readChecked(
  value: unknown,
  requestId: string | undefined,
  topic: string | undefined,
  properties: RequestProperties,
): Envelope {
  const unsafe = findUnsafe(value);
  if (unsafe) throw unsafeFailure(unsafe);
  const made = topic !== undefined && properties.correlationData !== undefined ? randomUUID() : undefined;
  return readEnvelope(value, { protocol: 'mqtt', token: true, requestId: requestId ?? made });
}

function refusal(
  failure: Failure,
  requestId: string | undefined,
  topic: string | undefined,
  base: string,
  value: unknown,
): Refused {
  const address = topic ?? (requestId === undefined ? undefined : responseTopic(base, requestId));
  if (address !== undefined) return { topic: address, requestId, failure };
  return { failure: withoutQuotes(failure, value) };
}

/** For failures, which others may hear: of the names a client chose only the three forbidden ones are repeated. */
function withoutQuotes(failure: Failure, value: unknown): Failure {
  const unsafe = findUnsafe(value);
  if (unsafe && unsafe.kind !== 'key') return unsafeFailure(unsafe);
  if (unsafe) {
    return new Failure(
      'INVALID_REQUEST',
      `The key ${isNeverKey(unsafe.key) ? quoted(unsafe.key) : '$…'} is not allowed`,
    );
  }
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!isObject || failure.type !== 'INVALID_REQUEST' || failure.data.details === undefined) return failure;
  const message = '"requestId" is required: 1 to 128 characters, no control character, none of + # /';
  return new Failure('INVALID_REQUEST', message, { details: [{ message, path: ['requestId'] }] });
}
