import type { ErrorCode } from './api.generated.ts';

/** One fault in a request: where and what. */
export interface ErrorDetail {
  message: string;
  path: (string | number)[];
}

/**
 * Codes of Trigate, and three of the client's own: `DISCONNECTED` (the connection ended before the answer: whether the
 * command ran is not known), `CLOSED` (the client was closed) and `REFUSED` (the token could not be had).
 */
export type TrigateErrorCode = ErrorCode | 'DISCONNECTED' | 'CLOSED' | 'REFUSED';

export interface TrigateErrorOptions {
  details?: ErrorDetail[] | undefined;
  retryAfter?: number | undefined;
  requestId?: string | undefined;
  cause?: unknown;
}

/** What a call rejects with, and why a connection was refused or ended. */
export class TrigateError extends Error {
  readonly code: TrigateErrorCode;
  /** One entry per fault in the request; empty where there is nothing to say. */
  readonly details: readonly ErrorDetail[];
  /** Seconds after which a retry makes sense. */
  readonly retryAfter: number | undefined;
  /** Under which the server's log knows the request. */
  readonly requestId: string | undefined;

  constructor(code: TrigateErrorCode, message: string, options: TrigateErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'TrigateError';
    this.code = code;
    this.details = options.details ?? [];
    this.retryAfter = options.retryAfter;
    this.requestId = options.requestId;
  }
}

interface Told {
  code?: unknown;
  message?: unknown;
  details?: unknown;
  retryAfter?: unknown;
}

/** What a server told, whatever it is, as an error. @internal */
export function toldError(told: unknown, fallback: TrigateErrorCode, options: TrigateErrorOptions = {}): TrigateError {
  const { code, message, details, retryAfter } = (typeof told === 'object' && told !== null ? told : {}) as Told;
  return new TrigateError(
    typeof code === 'string' ? (code as TrigateErrorCode) : fallback,
    typeof message === 'string' ? message : 'The server gave no reason',
    {
      ...options,
      details: Array.isArray(details) ? details : undefined,
      retryAfter: typeof retryAfter === 'number' ? retryAfter : undefined,
    },
  );
}
