import { createHmac, timingSafeEqual } from 'node:crypto';

/** What a media server reports, in the words of the camera's events. */
export const hookEvents = ['demand', 'unDemand', 'ready', 'notReady', 'read', 'unread'] as const;
export type HookEvent = (typeof hookEvents)[number];

/** How the media server calls back: with which program, or with our own script run by this Node.js. */
export type HookProgram = 'wget' | 'curl' | { node: string; script: string };

/** What MediaMTX calls the path for every name that no other path has. */
export const freePathName = 'all_others';

export interface HookContext {
  /** Base at which the media server reaches the HTTP gateway. */
  callback: string;
  /** Of this Trigate. It is in every hook, and so marks what on a media server is ours: 1 to 64 of A-Z a-z 0-9 _ - */
  installation: string;
  /** Id of the media server. */
  server: string;
  /** Signs hooks; nobody else knows it. */
  secret: string;
  program: HookProgram;
}

/** Parameter of the call and MediaMTX's variable for it. It has query-escaped MTX_QUERY; the others need no escaping. */
const variablesOf = {
  demand: { query: 'MTX_QUERY' },
  unDemand: { query: 'MTX_QUERY' },
  ready: { query: 'MTX_QUERY', sourceType: 'MTX_SOURCE_TYPE', sourceId: 'MTX_SOURCE_ID' },
  notReady: { query: 'MTX_QUERY', sourceType: 'MTX_SOURCE_TYPE', sourceId: 'MTX_SOURCE_ID' },
  read: { query: 'MTX_QUERY', readerType: 'MTX_READER_TYPE', readerId: 'MTX_READER_ID' },
  unread: { query: 'MTX_QUERY', readerType: 'MTX_READER_TYPE', readerId: 'MTX_READER_ID' },
} as const satisfies Record<HookEvent, Record<string, string>>;

/** Seconds a call may take. */
const callSeconds = 5;

/**
 * The command of one hook of one path. MediaMTX splits it as a shell would, then replaces `$NAME` in each argument by
 * its value and starts it without a shell: a value cannot become another argument, nor be seen by a shell.
 */
export function hookCommand(context: HookContext, event: HookEvent, path: string): string {
  const url = hookUrl(context, event, path);
  return command(context.program, url).map(quoted).join(' ');
}

/**
 * Where one hook calls, with POST and without a body:
 * `<callback>/api/media/hooks/<event>?installation=&server=&path=&signature=` and the variables of the event; for the
 * path of free names also `name=`, as letters, digits and `-_./` are all that MediaMTX takes in one.
 */
function hookUrl({ callback, installation, server, secret }: HookContext, event: HookEvent, path: string): string {
  const query = new URLSearchParams({ installation, server, path, signature: sign(secret, { server, event, path }) });
  const which = { ...variablesOf[event], ...(path === freePathName && { name: 'MTX_PATH' }) };
  const variables = Object.entries(which).map(([name, variable]) => `&${name}=$${variable}`);
  const base = callback.replace(/\/+$/, '').replaceAll('$', '%24');
  return `${base}/api/media/hooks/${event}?${query}${variables.join('')}`;
}

/** Options that both GNU's and BusyBox's wget know. */
function command(program: HookProgram, url: string): string[] {
  if (program === 'wget') return ['wget', '-q', '-T', String(callSeconds), '-O', '/dev/null', '--post-data=', url];
  if (program !== 'curl') return [program.node, program.script, url];
  return ['curl', '-sS', '-o', '/dev/null', '-m', String(callSeconds), '-X', 'POST', '-H', 'Content-Length: 0', url];
}

const quoted = (argument: string): string =>
  /^[A-Za-z0-9_\-./:=]+$/.test(argument) ? argument : `'${argument.replaceAll("'", `'\\''`)}'`;

/** Part of every hook of ours, and of no one else's. */
export const hookMarker = (installation: string): string => `installation=${installation}&`;

interface Signed {
  server: string;
  event: HookEvent;
  path: string;
}

const sign = (secret: string, { server, event, path }: Signed): string =>
  createHmac('sha256', secret).update(`${server}\n${event}\n${path}`).digest('hex');

/** A call of a media server. `query` is the reader's or publisher's own and may hold a token: it is not for logs. */
export interface HookCall {
  event: HookEvent;
  server: string;
  /** A viewer path or a feed path; the name that was asked for where it is free. */
  path: string;
  /** No camera had that name. */
  isFree: boolean;
  query: string;
  sourceType: string;
  sourceId: string;
  readerType: string;
  readerId: string;
}

const longest = 4_096;

/** What the URL of a hook says; null where it is none, or its signature is wrong. Absent variables are empty. */
export function readHook(event: string, query: URLSearchParams, secret: string): HookCall | null {
  const of = (name: string) => query.get(name) ?? '';
  const known = hookEvents.find((name) => name === event);
  const [server, path, signature] = [of('server'), of('path'), of('signature')];
  if (!known || !server || !path) return null;
  if (!signedAs(signature, sign(secret, { server, event: known, path }))) return null;
  const variable = (name: string) => of(name).slice(0, longest);
  const isFree = path === freePathName;
  return {
    event: known,
    server,
    path: isFree ? variable('name') : path,
    isFree,
    query: variable('query'),
    sourceType: variable('sourceType'),
    sourceId: variable('sourceId'),
    readerType: variable('readerType'),
    readerId: variable('readerId'),
  };
}

/** Where a media server asks who may read and publish. Its server and signature tell that the question is its own. */
export function authAddress({ callback, installation, server, secret }: HookContext): string {
  const query = new URLSearchParams({ installation, server, signature: signAuth(secret, server) });
  return `${callback.replace(/\/+$/, '')}${authRoute}?${query}`;
}

export const authRoute = '/api/media/auth';

const signAuth = (secret: string, server: string): string =>
  createHmac('sha256', secret).update(`${server}\nauth`).digest('hex');

/** Id of the media server whose question the URL carries; null where the signature is wrong. */
export function readAuthAddress(query: URLSearchParams, secret: string): string | null {
  const [server, signature] = [query.get('server') ?? '', query.get('signature') ?? ''];
  return server && signedAs(signature, signAuth(secret, server)) ? server : null;
}

function signedAs(signature: string, expected: string): boolean {
  return /^[0-9a-f]{64}$/.test(signature) && timingSafeEqual(Buffer.from(signature), Buffer.from(expected));
}
