import { type ErrorCode, errorTable } from '../errors.ts';
import { markdownTable } from './markdown.ts';
import { camelName } from './names.ts';
import type { Json } from './schemas.ts';

const codes = Object.keys(errorTable) as ErrorCode[];

const details = {
  type: 'array',
  description: 'One entry per fault in the request',
  items: {
    type: 'object',
    required: ['message', 'path'],
    properties: {
      message: { type: 'string' },
      path: { type: 'array', items: { type: ['string', 'integer'] } },
    },
  },
};
const retryAfter = { type: 'number', description: 'Seconds after which a retry makes sense' };

/** The body of every HTTP answer that is no success. */
export const errorBody: Json = {
  type: 'object',
  required: ['success', 'error', 'code', 'requestId'],
  properties: {
    success: { const: false },
    error: { type: 'string', description: 'A sentence for people' },
    code: { enum: codes },
    requestId: { type: 'string' },
    details,
    retryAfter,
  },
};

/** The value of `error` on Socket.IO and MQTT. */
export const errorValue: Json = {
  type: 'object',
  required: ['code', 'message'],
  properties: {
    code: { enum: codes },
    message: { type: 'string', description: 'A sentence for people' },
    details,
    retryAfter,
  },
};

/** Codes by HTTP status, lowest first, each in the order of the table. */
export function byStatus(some: ReadonlySet<ErrorCode>): Map<number, ErrorCode[]> {
  const groups = Map.groupBy(
    codes.filter((code) => some.has(code)),
    (code) => errorTable[code].status,
  );
  return new Map([...groups].sort(([a], [b]) => a - b));
}

/** `UNAUTHORIZED`, `INVALID_API_KEY` → `unauthorizedOrInvalidApiKey` */
export const responseName = (group: readonly ErrorCode[]): string =>
  camelName(group.map((code) => code.toLowerCase()).join('_or_'));

/** A response of OpenAPI for codes that share a status. */
export function errorResponse(group: readonly ErrorCode[]): Json {
  const retryable = group.some((code) => errorTable[code].retryable);
  return {
    description: group.map((code) => `${code}: ${errorTable[code].sentence}`).join('. '),
    headers: {
      'X-Request-Id': { $ref: '#/components/headers/requestId' },
      ...(retryable && { 'Retry-After': { description: retryAfter.description, schema: { type: 'integer' } } }),
    },
    content: {
      'application/json': {
        schema: { $ref: '#/components/schemas/Error' },
        examples: Object.fromEntries(group.map((code) => [code, { value: example(code) }])),
      },
    },
  };
}

const example = (code: ErrorCode): Json => ({
  success: false,
  error: errorTable[code].sentence,
  code,
  requestId: '3f2b8c1e-5d0a-4b7e-9a55-0c9d3f1e7a42',
});

/** The table of the documents: code, status, whether a retry may succeed, what the client reads. */
export function errorsMarkdown(): string {
  const rows = codes.map((code) => {
    const { status, retryable, sentence } = errorTable[code];
    return [`\`${code}\``, String(status), retryable ? 'yes' : 'no', sentence];
  });
  return markdownTable(['code', 'HTTP status', 'may succeed later', 'sentence'], rows);
}
