import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { Failure } from '../../shared/contracts/index.ts';

/** Milliseconds a request's timestamp may be off, either way. */
export const timestampWindowMs = 5 * 60_000;
/** Milliseconds a nonce is kept: as long as its timestamp may be good, and a minute for clocks that differ. */
export const nonceLifetimeMs = 2 * timestampWindowMs + 60_000;

/** `v1` signs the address, `v2` the body too. */
type Version = 'v1' | 'v2';

export interface Signature {
  readonly version: Version;
  /** Milliseconds since 1970, as it was sent: 13 digits. */
  readonly timestamp: string;
  readonly nonce: string;
  readonly value: string;
}

export interface SignedRequest {
  /** Upper case. */
  readonly method: string;
  /** As it was sent, without the query string. */
  readonly path: string;
  /** Of v2 only. */
  readonly body: Buffer;
}

const forms = {
  // Thirteen digits (2001 to 2286): with others, a digit could move between path, timestamp and nonce unnoticed.
  'x-request-timestamp': /^[1-9]\d{12}$/,
  'x-request-nonce': /^[\x21-\x7e]{1,128}$/,
  'x-signature-version': /^v[12]$/,
  'x-signature': /^[0-9a-f]{64}$/,
} as const;

const spellings: Record<keyof typeof forms, string> = {
  'x-request-timestamp': 'X-Request-Timestamp must be milliseconds since 1970',
  'x-request-nonce': 'X-Request-Nonce must be 1 to 128 visible ASCII characters',
  'x-signature-version': 'X-Signature-Version must be v1 or v2',
  'x-signature': 'X-Signature must be 64 lower-case hexadecimal digits',
};

/** The signature of a request; null where there is none. @throws Failure INVALID_SIGNATURE for one that is no such thing */
export function readSignature(headers: IncomingHttpHeaders): Signature | null {
  if (headers['x-signature'] === undefined) return null;
  const read = (name: keyof typeof forms): string => {
    const value = headers[name];
    if (typeof value === 'string' && forms[name].test(value)) return value;
    throw new Failure('INVALID_SIGNATURE', spellings[name], { details: [{ message: spellings[name], path: [name] }] });
  };
  return {
    timestamp: read('x-request-timestamp'),
    nonce: read('x-request-nonce'),
    version: read('x-signature-version') as Version,
    value: read('x-signature'),
  };
}

/** HMAC-SHA256 of METHOD + PATH + TIMESTAMP + NONCE; of v2, followed by a newline and the SHA-256 of the body, in hex. */
export function signatureOf(key: string, request: SignedRequest, signature: Omit<Signature, 'value'>): Buffer {
  const hmac = createHmac('sha256', key);
  hmac.update(`${request.method}${request.path}${signature.timestamp}${signature.nonce}`);
  if (signature.version === 'v2') hmac.update(`\n${createHash('sha256').update(request.body).digest('hex')}`);
  return hmac.digest();
}

/** @throws Failure INVALID_SIGNATURE */
export function assertTimely({ timestamp }: Signature, now: number): void {
  if (Math.abs(now - Number(timestamp)) <= timestampWindowMs) return;
  throw new Failure('INVALID_SIGNATURE', 'X-Request-Timestamp is more than five minutes off');
}

/** In a time that does not depend on how much of the signature is right. @throws Failure INVALID_SIGNATURE */
export function assertSigned(key: string, request: SignedRequest, signature: Signature): void {
  const expected = signatureOf(key, request, signature);
  if (!timingSafeEqual(expected, Buffer.from(signature.value, 'hex'))) {
    throw new Failure('INVALID_SIGNATURE', 'The signature is wrong');
  }
}
