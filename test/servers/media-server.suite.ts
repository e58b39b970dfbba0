import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type MediaServer, mediamtxCommand } from './media-server.ts';

/** What the tests of a media server use, whichever it is. */

/** The same tests on the stand-in and, where it is on the PATH, on MediaMTX: that is what makes it a stand-in. */
export const kinds = [
  { kind: 'the stand-in', real: false },
  ...((await mediamtxCommand()) ? [{ kind: 'MediaMTX', real: true }] : []),
];

export interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into what came
  body: any;
}

/** A call of the control API, `path` below `/v3/`. A body that is a string is sent as it is. */
export async function api(server: MediaServer, method: string, path: string, body?: unknown): Promise<Answer> {
  const sent = body === undefined || typeof body === 'string' ? (body as string | undefined) : JSON.stringify(body);
  const response = await fetch(`${server.apiUrl}/v3/${path}`, { method, body: sent });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.startsWith('application/json');
  return { status: response.status, body: isJson ? JSON.parse(text) : text };
}

/** A write of the configuration, until it is there: writes wait for one another, so another one tells. */
export async function write(server: MediaServer, method: string, path: string, body?: unknown): Promise<Answer> {
  const answer = await api(server, method, path, body);
  await api(server, 'PATCH', 'config/global/patch', {});
  return answer;
}

/** Adds a path, or brings one that an earlier try left behind to these fields. @throws Error where it was refused */
export async function addPath(server: MediaServer, name: string, fields: Record<string, unknown> = {}): Promise<void> {
  const { status, body } = await write(server, 'POST', `config/paths/replace/${name}`, fields);
  if (status !== 200) throw new Error(`${name} was not added: ${JSON.stringify(body)}`);
}

export const livePath = async (server: MediaServer, name: string) =>
  (await api(server, 'GET', `paths/get/${name}`)).body;

export interface AuthCall {
  ip: string;
  user: string;
  password: string;
  token: string;
  action: string;
  path: string;
  protocol: string;
  id: string | null;
  query: string;
  userAgent: string;
}

export interface AuthServer {
  readonly url: string;
  readonly calls: AuthCall[];
  close(): Promise<void>;
}

/** An HTTP server that a media server asks; `allow` decides. */
export async function startAuthServer(allow: (call: AuthCall) => boolean): Promise<AuthServer> {
  const calls: AuthCall[] = [];
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    const call = JSON.parse(text) as AuthCall;
    calls.push(call);
    response.writeHead(allow(call) ? 204 : 401).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/auth`,
    calls,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

export interface HookLog {
  /** A command that writes one line when it is run; `argument` may hold `$VARIABLES`. */
  command(name: string, argument?: string): string;
  /** A command that writes `<name> start`, stays, and writes `<name> stop` when it is interrupted. */
  lasting(name: string): string;
  /** `name argument path query readerType sourceType` of each run, in their order; `-` where there is none. */
  lines(): Promise<string[]>;
  remove(): Promise<void>;
}

const script = `
file="$(dirname "$0")/log"
if [ "$1" = lasting ]; then
  trap 'echo "$2 stop" >> "$file"; exit 0' INT
  echo "$2 start" >> "$file"
  while :; do sleep 0.1; done
fi
echo "$1 \${2:--} \${MTX_PATH:--} \${MTX_QUERY:--} \${MTX_READER_TYPE:--} \${MTX_SOURCE_TYPE:--}" >> "$file"
`;

/** Hooks that leave a trace. */
export async function startHookLog(): Promise<HookLog> {
  const directory = await mkdtemp(join(tmpdir(), 'trigate-hooks-'));
  const file = join(directory, 'hook.sh');
  await writeFile(file, script);
  return {
    command: (name, argument = '') => `sh ${file} ${name} '${argument}'`,
    lasting: (name) => `sh "${file}" lasting ${name}`,
    async lines() {
      const text = await readFile(join(directory, 'log'), 'utf8').catch(() => '');
      return text.split('\n').filter(Boolean);
    },
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}

export interface WhepCall {
  method: string;
  path: string;
  authorization: string;
  body: string;
}

export interface WhepServer {
  /** `whep://127.0.0.1:<port>/camera/whep` */
  readonly url: string;
  readonly calls: WhepCall[];
  close(): Promise<void>;
}

/** An HTTP server that speaks WHEP, with `answer` to an offer. `methods` is what OPTIONS allows. */
export async function startWhepServer(
  answer: (offer: string) => string,
  methods = 'OPTIONS, POST, DELETE',
): Promise<WhepServer> {
  const calls: WhepCall[] = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const { method = '', url: path = '', headers } = request;
    calls.push({ method, path, authorization: headers.authorization ?? '', body });
    if (method === 'OPTIONS') response.writeHead(204, { 'access-control-allow-methods': methods }).end();
    else if (method === 'PATCH') response.writeHead(204).end();
    else if (method === 'DELETE') response.writeHead(200).end();
    else
      response
        .writeHead(201, { 'content-type': 'application/sdp', location: '/ended/1', etag: '"1"' })
        .end(answer(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `whep://127.0.0.1:${(server.address() as AddressInfo).port}/camera/whep`,
    calls,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

/** An answer that fits the offer line by line; nobody is behind it. */
export function answerTo(offer: string): string {
  const fingerprint = Array.from({ length: 32 }, (_item, index) => (index + 16).toString(16).toUpperCase()).join(':');
  const [head = '', ...media] = offer.split(/^(?=m=)/m);
  const answered = media.map((section) =>
    [
      ...(section.match(/^m=.*$/m) ?? []),
      'c=IN IP4 127.0.0.1',
      ...(section.match(/^a=mid:.*$/m) ?? []),
      'a=ice-ufrag:answer',
      'a=ice-pwd:0123456789012345678901',
      `a=fingerprint:sha-256 ${fingerprint}`,
      'a=setup:passive',
      'a=sendonly',
      'a=rtcp-mux',
      ...(section.match(/^a=(rtpmap|fmtp):.*$/gm) ?? []),
      'a=candidate:1 1 udp 2113939711 127.0.0.1 9 typ host',
    ].map((line) => line.trim()),
  );
  const session = ['v=0', 'o=- 1 2 IN IP4 127.0.0.1', 's=-', 't=0 0', ...(head.match(/^a=group:.*$/m) ?? [])];
  return `${[...session.map((line) => line.trim()), ...answered.flat()].join('\r\n')}\r\n`;
}
