import { Failure } from '../../shared/contracts/index.ts';
import type { Request } from '../core/dispatch.types.ts';
import { readEnvelope, usableRequestId } from '../core/envelope.ts';
import { assertSafeKeys, decodeJson } from '../core/safe-json.ts';
import { assertNotTooLarge, TooLarge } from './decoder.ts';

/** What a client is told of a failure, on the event of its request. */
export interface ErrorReply {
  error: { code: string; message: string; details?: unknown; retryAfter?: number };
  requestId?: string;
}

export const errorReply = ({ type, message, data }: Failure, requestId?: string): ErrorReply => ({
  error: { code: type, message, ...data },
  ...(requestId !== undefined && { requestId }),
});

export type ReadRequest = { request: Request } | { failure: Failure; requestId: string | undefined };

/** The argument of a `request` event: an object or its JSON text; `refused` whatever it says. Never throws. */
export function readRequest(argument: unknown, refused?: Failure): ReadRequest {
  let requestId: string | undefined;
  try {
    requestId = usableRequestId(argument instanceof TooLarge ? argument.argument : argument, 'socketio');
    assertNotTooLarge(argument);
    const value = typeof argument === 'string' ? decodeJson(argument) : argument;
    requestId = usableRequestId(value, 'socketio');
    if (refused) throw refused;
    assertSafeKeys(value);
    return { request: readEnvelope(value, { protocol: 'socketio' }) };
  } catch (error) {
    return { failure: refused ?? (error instanceof Failure ? error : new Failure('INVALID_REQUEST')), requestId };
  }
}

interface Handshake {
  auth: Record<string, unknown>;
  headers: { authorization?: string | undefined };
  query: Record<string, unknown>;
}

/** Where clients put their token, in this order: `auth.token`, the Authorization header, `?token=`. */
export function readToken({ auth, headers, query }: Handshake): string | undefined {
  const bearer = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1];
  const token = [auth.token, bearer, query.token].find((value) => typeof value === 'string' && value !== '');
  return (token as string | undefined)?.replace(/^Bearer +/i, '');
}
