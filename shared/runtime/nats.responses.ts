import { JsonText } from './json-text.ts';

/** What Moleculer puts into the packet of an answer. */
export interface ResponsePayload {
  id: string;
  success: boolean;
  ver?: string;
  sender?: string;
  data?: unknown;
  error?: unknown;
  stream?: boolean;
}

const lineFeed = 0x0a;

/**
 * An answer as two lines, the second being the result alone: a gateway passes that on without reading it. The meta of
 * the request, which Moleculer would send back with every answer, stays where it came from.
 */
export function encodeResponse({ data, ...payload }: ResponsePayload): Buffer {
  const { id, success, ver, sender, error } = payload;
  const head = JSON.stringify({ id, success, ver, sender, ...(error !== undefined && { error }) });
  return Buffer.from(data === undefined ? head : `${head}\n${JSON.stringify(data)}`);
}

/**
 * @param wantsText whether who waits for the answer with this id wants its JSON rather than its value
 * @throws SyntaxError for what is no answer
 */
export function decodeResponse(bytes: Buffer, wantsText: (id: string) => boolean): ResponsePayload {
  const end = bytes.indexOf(lineFeed);
  if (end === -1) return JSON.parse(bytes.toString('utf8'));
  const payload: ResponsePayload = JSON.parse(bytes.toString('utf8', 0, end));
  if (!wantsText(payload.id)) payload.data = JSON.parse(bytes.toString('utf8', end + 1));
  else payload.data = isNull(bytes, end + 1) ? null : new JsonText(bytes.subarray(end + 1));
  return payload;
}

const isNull = (bytes: Buffer, from: number): boolean =>
  bytes.length === from + 4 && bytes.toString('latin1', from) === 'null';
