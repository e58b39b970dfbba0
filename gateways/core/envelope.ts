import type { ErrorDetail } from '../../shared/contracts/index.ts';
import { Failure } from '../../shared/contracts/index.ts';
import type { Protocol, Request } from './dispatch.types.ts';
import { quoted } from './safe-json.ts';

export interface EnvelopeOptions {
  /** Decides what a request id may hold. */
  readonly protocol: Protocol;
  /** Whether the key `token` may be there. */
  readonly token?: boolean;
  /** Stands in for a `requestId` that is absent; without it, an absent one is an error. */
  readonly requestId?: string;
}

export type Envelope = Request & { readonly token?: string };

const maxRequestId = 128;
const maxName = 64;
const maxToken = 8_192;
const maxDetails = 10;

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
const control = /[\u0000-\u001f\u007f-\u009f]/;
/** Wildcards and the level separator: an answer's topic ends with the request id (MQTT 3.1.1, 4.7.1). */
const topicSyntax = /[+#/]/;
/** Socket.IO throws when a server emits these, and the answer's event is named like the request. */
const socketEvents: ReadonlySet<string> = new Set([
  'connect',
  'connect_error',
  'disconnect',
  'disconnecting',
  'newListener',
  'removeListener',
]);

/**
 * The request id of what a client sent, whatever else is wrong with it; undefined where an answer cannot be
 * addressed. At most 128 characters, no control character; on MQTT none of `+ # /`; no event name of Socket.IO's own.
 */
export function usableRequestId(value: unknown, protocol: Protocol): string | undefined {
  if (!isRecord(value) || !Object.hasOwn(value, 'requestId')) return undefined;
  return isRequestId(value.requestId, protocol) ? value.requestId : undefined;
}

export function isRequestId(id: unknown, protocol: Protocol): id is string {
  if (typeof id !== 'string' || id.length === 0 || id.length > maxRequestId) return false;
  if (control.test(id) || !id.isWellFormed()) return false;
  if (protocol === 'mqtt') return !topicSyntax.test(id);
  return protocol !== 'socketio' || !socketEvents.has(id);
}

/**
 * Checks the envelope by hand, as this runs for every request; entity and payload are checked with the command.
 * @throws Failure INVALID_REQUEST with one detail per fault
 */
export function readEnvelope(value: unknown, options: EnvelopeOptions): Envelope {
  if (!isRecord(value)) throw new Failure('INVALID_REQUEST', 'The request is not an object');
  const faults: ErrorDetail[] = [];
  for (const key of Object.keys(value)) {
    const fault = faultOf(key, value[key], options);
    if (fault && faults.length < maxDetails) faults.push({ message: fault, path: [key] });
  }
  for (const key of ['command', 'module', 'requestId']) {
    if (Object.hasOwn(value, key) || (key === 'requestId' && options.requestId !== undefined)) continue;
    faults.push({ message: `"${key}" is required`, path: [key] });
  }
  if (faults.length > 0) throw new Failure('INVALID_REQUEST', faults[0]?.message, { details: faults });
  return build(value, options.requestId);
}

/** Undefined, or a sentence that says what is wrong with one key. */
function faultOf(key: string, value: unknown, options: EnvelopeOptions): string | undefined {
  switch (key) {
    case 'command':
    case 'module':
      return isLine(value, maxName) ? undefined : `"${key}" must be a name of at most ${maxName} characters`;
    case 'requestId':
      return isRequestId(value, options.protocol) ? undefined : requestIdRule(options.protocol);
    case 'entity':
      return typeof value === 'string' || Number.isSafeInteger(value) ? undefined : '"entity" must be a string';
    case 'payload':
      return undefined;
    case 'token':
      if (!options.token) break;
      return isLine(value, maxToken) ? undefined : `"token" must be a string of at most ${maxToken} characters`;
  }
  return `${quoted(key)} is not allowed`;
}

const requestIdRule = (protocol: Protocol): string =>
  `"requestId" must be a string of 1 to ${maxRequestId} characters without control characters${
    protocol === 'mqtt' ? ' and without + # /' : protocol === 'socketio' ? ' that is no event of Socket.IO itself' : ''
  }`;

function build(value: Record<string, unknown>, requestId: string | undefined): Envelope {
  return {
    module: value.module as string,
    command: value.command as string,
    requestId: (value.requestId ?? requestId) as string,
    ...(Object.hasOwn(value, 'entity') && { entity: String(value.entity) }),
    ...(Object.hasOwn(value, 'payload') && { payload: value.payload }),
    ...(Object.hasOwn(value, 'token') && { token: value.token as string }),
  };
}

const isLine = (value: unknown, max: number): boolean =>
  typeof value === 'string' && value.length > 0 && value.length <= max && !control.test(value);

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
