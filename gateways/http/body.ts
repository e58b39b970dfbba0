import type { IncomingMessage } from 'node:http';
import { Failure } from '../../shared/contracts/index.ts';
import { type KeyRules, maxMessageBytes, parseJson } from '../core/safe-json.ts';

/** Milliseconds within which a body has to be there: with 1 MB, half a megabit per second. */
const bodyMs = 20_000;
/** Milliseconds for those of servers, which are small. */
export const serverBodyMs = 5_000;

interface BodyRules extends KeyRules {
  /** Milliseconds, 20,000. */
  withinMs?: number;
}

/**
 * The JSON body of a request, parsed once; undefined where there is none.
 * @throws Failure PAYLOAD_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, INVALID_REQUEST
 */
export async function readJsonBody(request: IncomingMessage, rules: BodyRules = {}): Promise<unknown> {
  if (declaredLength(request) === 0) return undefined;
  const type = request.headers['content-type'];
  if (type !== undefined && !/^application\/(?:[\w.+-]+\+)?json\b/i.test(type)) {
    throw new Failure('UNSUPPORTED_MEDIA_TYPE');
  }
  const body = await readBody(request, rules.withinMs);
  return body.length === 0 ? undefined : parseJson(body, rules);
}

const none = Buffer.alloc(0);
const bodies = new WeakMap<IncomingMessage, Promise<Buffer>>();
const late = new WeakSet<IncomingMessage>();

/** Whether the body was given up: nobody knows when the next request on its connection begins. */
export const isLate = (request: IncomingMessage): boolean => late.has(request);

/**
 * The bytes of a request's body, read once: who checks a signature and who parses may both ask, and the first says how
 * long it may take.
 * @throws Failure PAYLOAD_TOO_LARGE, INVALID_REQUEST
 */
export async function readBody(request: IncomingMessage, withinMs = bodyMs): Promise<Buffer> {
  if (declaredLength(request) === 0) return none;
  const body = bodies.get(request) ?? collect(request, withinMs);
  bodies.set(request, body);
  return body;
}

/** @throws Failure PAYLOAD_TOO_LARGE; undefined: not said beforehand */
function declaredLength({ headers }: IncomingMessage): number | undefined {
  const declared = Number(headers['content-length'] ?? 0);
  if (declared > maxMessageBytes) throw new Failure('PAYLOAD_TOO_LARGE');
  return declared === 0 && headers['transfer-encoding'] !== undefined ? undefined : declared;
}

function collect(request: IncomingMessage, withinMs: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const timer = setTimeout(() => {
      late.add(request);
      giveUp(new Failure('INVALID_REQUEST', `The body did not arrive within ${withinMs / 1_000} s`));
    }, withinMs);
    const giveUp = (failure: Failure) => {
      clearTimeout(timer);
      request.removeAllListeners('data');
      request.resume();
      reject(failure);
    };
    const cutOff = () => giveUp(new Failure('INVALID_REQUEST', 'The request was cut off'));
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length > maxMessageBytes) giveUp(new Failure('PAYLOAD_TOO_LARGE'));
      else chunks.push(chunk);
    });
    request.on('end', () => {
      clearTimeout(timer);
      resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks));
    });
    request.on('error', cutOff);
    request.on('aborted', cutOff);
  });
}
