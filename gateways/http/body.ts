import type { IncomingMessage } from 'node:http';
import { Failure } from '../../shared/contracts/index.ts';
import { type KeyRules, maxMessageBytes, parseJson } from '../core/safe-json.ts';

/**
 * The JSON body of a request, parsed once; undefined where there is none.
 * @throws Failure PAYLOAD_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, INVALID_REQUEST
 */
export async function readJsonBody(request: IncomingMessage, rules: KeyRules = {}): Promise<unknown> {
  if (declaredLength(request) === 0) return undefined;
  const type = request.headers['content-type'];
  if (type !== undefined && !/^application\/(?:[\w.+-]+\+)?json\b/i.test(type)) {
    throw new Failure('UNSUPPORTED_MEDIA_TYPE');
  }
  const body = await readBody(request);
  return body.length === 0 ? undefined : parseJson(body, rules);
}

const none = Buffer.alloc(0);
const bodies = new WeakMap<IncomingMessage, Promise<Buffer>>();

/**
 * The bytes of a request's body, read once: who checks a signature and who parses may both ask.
 * @throws Failure PAYLOAD_TOO_LARGE, INVALID_REQUEST
 */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  if (declaredLength(request) === 0) return none;
  const body = bodies.get(request) ?? collect(request);
  bodies.set(request, body);
  return body;
}

/** @throws Failure PAYLOAD_TOO_LARGE; undefined: not said beforehand */
function declaredLength({ headers }: IncomingMessage): number | undefined {
  const declared = Number(headers['content-length'] ?? 0);
  if (declared > maxMessageBytes) throw new Failure('PAYLOAD_TOO_LARGE');
  return declared === 0 && headers['transfer-encoding'] !== undefined ? undefined : declared;
}

function collect(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length > maxMessageBytes) {
        request.removeAllListeners('data');
        request.resume();
        reject(new Failure('PAYLOAD_TOO_LARGE'));
      } else chunks.push(chunk);
    });
    request.on('end', () => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)));
    request.on('error', () => reject(new Failure('INVALID_REQUEST', 'The request was cut off')));
    request.on('aborted', () => reject(new Failure('INVALID_REQUEST', 'The request was cut off')));
  });
}
