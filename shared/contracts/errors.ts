/**
 * The one table of errors. `status` is the HTTP status, `retryable` tells a client that the same request may succeed
 * later, `sentence` is what a client reads where the thrower gave no better one.
 */
export const errorTable = {
  INVALID_REQUEST: { status: 400, retryable: false, sentence: 'The request is not valid' },
  UNAUTHORIZED: { status: 401, retryable: false, sentence: 'Authentication failed' },
  INVALID_API_KEY: { status: 401, retryable: false, sentence: 'Invalid API key' },
  INVALID_SIGNATURE: { status: 401, retryable: false, sentence: 'The signature is wrong or too old' },
  REPLAYED_REQUEST: { status: 401, retryable: false, sentence: 'This nonce was used before' },
  FORBIDDEN: { status: 403, retryable: false, sentence: 'Not allowed' },
  NOT_FOUND: { status: 404, retryable: false, sentence: 'Not found' },
  METHOD_NOT_ALLOWED: { status: 405, retryable: false, sentence: 'This method is not allowed here' },
  CONFLICT: { status: 409, retryable: false, sentence: 'In conflict with the current state' },
  LIMIT_EXCEEDED: { status: 409, retryable: false, sentence: 'A limit is reached' },
  PAYLOAD_TOO_LARGE: { status: 413, retryable: false, sentence: 'The request is larger than 1 MB' },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, retryable: false, sentence: 'Only application/json is understood' },
  RATE_LIMITED: { status: 429, retryable: true, sentence: 'Rate limit exceeded' },
  INTERNAL_SERVER_ERROR: { status: 500, retryable: false, sentence: 'Internal server error' },
  UNAVAILABLE: { status: 503, retryable: true, sentence: 'The service is not available' },
  TIMEOUT: { status: 504, retryable: true, sentence: 'The service did not answer in time' },
} as const satisfies Record<string, { status: number; retryable: boolean; sentence: string }>;

export type ErrorCode = keyof typeof errorTable;

/** Codes any command may answer with, whatever its contract names. */
export const commonErrors = [
  'INVALID_REQUEST',
  'UNAUTHORIZED',
  'FORBIDDEN',
  'RATE_LIMITED',
  'INTERNAL_SERVER_ERROR',
  'UNAVAILABLE',
  'TIMEOUT',
] as const satisfies readonly ErrorCode[];

/** One fault in the input: where and what. `path` starts with `payload`, `entity`, `query` or a header's name. */
export interface ErrorDetail {
  message: string;
  path: (string | number)[];
}

export interface FailureOptions {
  details?: ErrorDetail[];
  /** Seconds after which a retry makes sense. */
  retryAfter?: number;
  cause?: unknown;
}

/**
 * An error a client may read. It has the shape Moleculer carries over the wire (`type`, `code`, `data`, `retryable`);
 * the class itself does not survive the wire, so match on `type`.
 */
export class Failure extends Error {
  readonly type: ErrorCode;
  readonly code: number;
  readonly retryable: boolean;
  readonly data: { details?: ErrorDetail[]; retryAfter?: number };

  constructor(type: ErrorCode, sentence?: string, options: FailureOptions = {}) {
    super(sentence ?? errorTable[type].sentence, { cause: options.cause });
    this.name = 'Failure';
    this.type = type;
    this.code = errorTable[type].status;
    this.retryable = errorTable[type].retryable;
    this.data = {
      ...(options.details && { details: options.details }),
      ...(options.retryAfter !== undefined && { retryAfter: options.retryAfter }),
    };
  }
}

export const isErrorCode = (value: unknown): value is ErrorCode =>
  typeof value === 'string' && Object.hasOwn(errorTable, value);
