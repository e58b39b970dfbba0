type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** Of one connection only (RFC 9110, 7.6.1); `expect` is answered here. */
const hopByHop = ['connection', 'keep-alive', 'proxy-authorization', 'proxy-connection', 'te', 'trailer', 'upgrade'];
const ofThisHop: ReadonlySet<string> = new Set([...hopByHop, 'transfer-encoding', 'expect', 'host']);

/** `/<eventName>`: one segment, and not the engine's. */
const eventPath = /^\/(?!socket\.io(?:\?|$))[^/?]+(?:\?|$)/;
const jwt = /^[\w-]+\.[\w-]+\.[\w-]*$/;

/**
 * The credential that an event without one is sent on with. None for a page in a browser, which names its origin: any
 * page the user opens could send events otherwise.
 */
export function bridgeHeaders(
  method: string | undefined,
  url: string | undefined,
  headers: Headers,
  token: string,
): Record<string, string> {
  if (method !== 'POST' || !eventPath.test(url ?? '')) return {};
  const { authorization, 'x-api-key': key, origin, 'sec-fetch-site': site } = headers;
  if (authorization || key || origin !== undefined || site !== undefined) return {};
  return jwt.test(token) ? { authorization: `Bearer ${token}` } : { 'x-api-key': token };
}

/** One line that says what is not set and what follows; undefined where everything is. */
export function unsetWarning(set: { url: string | undefined; token: string | undefined }, url: string) {
  const unset = [
    ...(set.url === undefined ? [`TRIGATE_URL is not set, so Trigate is looked for at ${url}`] : []),
    ...(set.token ? [] : ['TRIGATE_TOKEN is not set, so POST /<eventName> needs an X-API-Key or bearer of its own']),
  ];
  return unset.length === 0 ? undefined : `HttpDriver: ${unset.join('; ')}`;
}

/** What Trigate is sent of a request's headers. `target` and `address` are those of Trigate and of the caller. */
export function forwardedHeaders(headers: Headers, target: URL, address: string): Record<string, string | string[]> {
  const named = String(headers.connection ?? '')
    .toLowerCase()
    .split(/\s*,\s*/);
  const sent: Record<string, string | string[]> = { host: target.host };
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined && !ofThisHop.has(name) && !named.includes(name)) sent[name] = value;
  }
  // A body that came in chunks goes on in chunks: without framing its bytes would be read as the next request.
  if (headers['transfer-encoding'] !== undefined) sent['transfer-encoding'] = 'chunked';
  const before = headers['x-forwarded-for'];
  sent['x-forwarded-for'] = before === undefined ? address : `${String(before)}, ${address}`;
  // A page of the same origin stays one.
  if (isSameOrigin(headers)) sent.origin = target.origin;
  return sent;
}

const isSameOrigin = ({ origin, host }: Headers): boolean =>
  typeof origin === 'string' && URL.canParse(origin) && new URL(origin).host === host;

/** Of an answer: without what belongs to the connection to Trigate. */
export function answeredHeaders(headers: Headers): Record<string, string | string[]> {
  return Object.fromEntries(
    Object.entries(headers).filter(
      (entry): entry is [string, string | string[]] =>
        entry[1] !== undefined && !hopByHop.includes(entry[0]) && entry[0] !== 'transfer-encoding',
    ),
  );
}
