import type { ServerResponse } from 'node:http';
import helmet from 'helmet';
import type { Failure } from '../../shared/contracts/index.ts';
import { JsonText } from '../../shared/runtime/json-text.ts';
import { isLate } from './body.ts';

/** What helmet would set on each response: collected once, as it never differs. */
const securityHeaders: string[] = [];
helmet({
  contentSecurityPolicy: { directives: { upgradeInsecureRequests: null } },
  // The console and Swagger UI come from here; everything else may be embedded by who is allowed to read it.
  crossOriginResourcePolicy: { policy: 'same-site' },
})(
  {} as never,
  {
    setHeader: (name: string, value: string) => securityHeaders.push(name, value),
    removeHeader: () => undefined,
  } as never,
  () => undefined,
);

export { securityHeaders };

/** Writes head and body in one go. Headers that were set before (CORS) are kept where this sets none of that name. */
function write(
  response: ServerResponse,
  status: number,
  requestId: string,
  text: string | JsonText,
  more: string[],
): void {
  const headers = [...securityHeaders, 'x-request-id', requestId, ...more];
  if (status === 204) {
    response.writeHead(204, withEarlier(response, headers)).end();
    return;
  }
  headers.push('content-type', 'application/json; charset=utf-8', 'cache-control', 'no-store');
  if (text instanceof JsonText) {
    headers.push('content-length', String(text.bytes.length));
    // Latin-1 keeps every byte as it is, and Node.js then writes head and body as one string without encoding anything.
    response.writeHead(status, withEarlier(response, headers)).end(text.bytes.toString('latin1'), 'latin1');
    return;
  }
  headers.push('content-length', String(Buffer.byteLength(text)));
  response.writeHead(status, withEarlier(response, headers)).end(text);
}

function withEarlier(response: ServerResponse, headers: string[]): string[] {
  const earlier = response.getHeaderNames();
  if (earlier.length === 0) return headers;
  const own = new Set(headers.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase()));
  for (const name of earlier) {
    if (!own.has(name)) headers.push(name, String(response.getHeader(name)));
    response.removeHeader(name);
  }
  return headers;
}

export function writeResult(response: ServerResponse, status: number, requestId: string, result: unknown): void {
  const text = result instanceof JsonText ? result : status === 204 ? '' : JSON.stringify(result);
  write(response, status, requestId, text, []);
}

export function writeFailure(response: ServerResponse, requestId: string, failure: Failure): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const { type, code, message, data } = failure;
  const more: string[] = [];
  if (data.retryAfter !== undefined) more.push('retry-after', String(data.retryAfter));
  if (type === 'UNAUTHORIZED') more.push('www-authenticate', 'Bearer');
  // What was not read of a body would be taken for the next request.
  if (type === 'PAYLOAD_TOO_LARGE' || isLate(response.req)) more.push('connection', 'close');
  write(
    response,
    code,
    requestId,
    JSON.stringify({ success: false, error: message, code: type, requestId, ...data }),
    more,
  );
}
