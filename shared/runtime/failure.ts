import moleculer from 'moleculer';
import { type ErrorCode, Failure, isErrorCode } from '../contracts/index.ts';
import { Duplicate, StoreUnavailable } from '../store/collection.ts';

/** Moleculer's own error types, as a client should read them. */
const moleculerTypes: Record<string, ErrorCode> = {
  SERVICE_NOT_FOUND: 'UNAVAILABLE',
  SERVICE_NOT_AVAILABLE: 'UNAVAILABLE',
  REQUEST_REJECTED: 'UNAVAILABLE',
  QUEUE_FULL: 'UNAVAILABLE',
  BAD_GATEWAY: 'UNAVAILABLE',
  REQUEST_TIMEOUT: 'TIMEOUT',
  REQUEST_SKIPPED: 'TIMEOUT',
};

const retryAfterSeconds = 1;

/**
 * Any error as one a client may read. What nobody foresaw becomes INTERNAL_SERVER_ERROR without its message;
 * the caller logs it (`failure.cause`).
 */
export function toFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  if (error instanceof Duplicate) return new Failure('CONFLICT', `This ${error.key} is already in use`);
  if (error instanceof StoreUnavailable) {
    return new Failure('UNAVAILABLE', undefined, { retryAfter: retryAfterSeconds, cause: error });
  }
  const { type, name } = error as { type?: unknown; name?: unknown };
  const code = typeof type === 'string' && Object.hasOwn(moleculerTypes, type) ? moleculerTypes[type] : undefined;
  if (code) return new Failure(code, undefined, { retryAfter: retryAfterSeconds, cause: error });
  if (name === 'BrokerDisconnectedError')
    return new Failure('UNAVAILABLE', undefined, { retryAfter: retryAfterSeconds });
  return new Failure('INTERNAL_SERVER_ERROR', undefined, { cause: error });
}

interface PlainError {
  type?: unknown;
  message?: string;
  data?: { details?: []; retryAfter?: number };
}

/** Failures over the wire: rebuilt by `type`, never with a stack. */
export class FailureRegenerator extends moleculer.Errors.Regenerator {
  override extractPlainError(error: Error) {
    return { ...super.extractPlainError(error), stack: '' };
  }

  override restoreCustomError(plain: PlainError): Error {
    // Moleculer goes on to its own errors where this gives none; its types do not say so.
    if (!isErrorCode(plain.type)) return undefined as never;
    return new Failure(plain.type, plain.message, plain.data);
  }
}
