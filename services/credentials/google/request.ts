/** What an API of Google's answered; `body` is null where it was no JSON object. */
export interface GoogleReply {
  status: number;
  body: Record<string, unknown> | null;
}

export interface GoogleAsk {
  url: string;
  /** Without it, a GET. */
  json?: object;
  authorization: string;
  /** Milliseconds for all of it. */
  timeoutMs: number;
  /** Ends the request early. */
  signal?: AbortSignal;
}

/** Bytes; a hundred devices are a tenth of it. */
const maxBody = 2_000_000;

/** @throws Error where no answer came: the network, the time limit, an answer that is too large */
export async function askGoogle({ url, json, authorization, timeoutMs, signal }: GoogleAsk): Promise<GoogleReply> {
  const response = await send({ url, json, authorization, timeoutMs, signal });
  const text = (await readBounded(response, maxBody)).toString('utf8');
  return { status: response.status, body: objectIn(text) };
}

function send({ url, json, authorization, timeoutMs, signal }: { [K in keyof GoogleAsk]: GoogleAsk[K] | undefined }) {
  const limit = AbortSignal.timeout(timeoutMs ?? 0);
  return fetch(url as string, {
    method: json ? 'POST' : 'GET',
    headers: { authorization: authorization as string, ...(json && { 'content-type': 'application/json' }) },
    ...(json && { body: JSON.stringify(json) }),
    // A token goes nowhere but where it was meant to go.
    redirect: 'error',
    signal: signal ? AbortSignal.any([signal, limit]) : limit,
  });
}

/** @throws Error */
export async function readBounded(response: Response, maxBytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > maxBytes) throw new Error(`an answer of more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function objectIn(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : null;
  } catch {
    return null;
  }
}
