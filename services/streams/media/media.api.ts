import type { z } from 'zod';
import { MediaError } from './media.error.ts';
import { type Answer, type MediaHttp, type Method, mediaHttp } from './media.http.ts';
import {
  type ConfigPath,
  configPathAnswer,
  type Globals,
  globalsAnswer,
  type Info,
  infoAnswer,
  type LivePath,
  livePathAnswer,
  pageOf,
  sessionAnswer,
} from './media.schemas.ts';
import type { PathConf } from './paths.rules.ts';

export const sessionKinds = [
  'rtspsessions',
  'rtspssessions',
  'rtmpconns',
  'rtmpsconns',
  'srtconns',
  'webrtcsessions',
  'hlssessions',
] as const;
export type SessionKind = (typeof sessionKinds)[number];
export type Session = z.output<typeof sessionAnswer> & { kind: SessionKind };

/** The control API of one MediaMTX (v3). Every method throws MediaError; each call is bounded to 2 s. */
export interface MediaApi {
  info(timeoutMs?: number): Promise<Info>;
  globals(): Promise<Globals>;
  patchGlobals(patch: Record<string, unknown>): Promise<void>;
  /** Every path's configuration, the server's own included. */
  configPaths(): Promise<ConfigPath[]>;
  /** Null where there is none of that name. `aside`: others do not wait for it. */
  configPath(name: string, aside?: boolean): Promise<ConfigPath | null>;
  /** Refused where the name is taken. */
  addPath(name: string, conf: PathConf): Promise<void>;
  /** Creates it too. */
  replacePath(name: string, conf: PathConf): Promise<void>;
  /** Whether there was one. */
  deletePath(name: string): Promise<boolean>;
  paths(): Promise<LivePath[]>;
  path(name: string): Promise<LivePath | null>;
  /** Empty where the protocol is off. */
  sessions(kind: SessionKind): Promise<Session[]>;
  /** Closes the session; its client may come back. Whether there was one. */
  kick(kind: SessionKind, id: string): Promise<boolean>;
  /** Calls made so far, by route. */
  readonly calls: ReadonlyMap<string, number>;
  close(): void;
}

interface CallOptions {
  body?: unknown;
  timeoutMs?: number;
  http?: MediaHttp;
}

const itemsPerPage = 500;
/** Of one list: 50,000 items. */
const maxPages = 100;

/** Connections for what is done to the server, for what somebody else waits to know, and for whether it is there. */
const connections = { work: 4, aside: 2, info: 1 } as const;

/** @param base URL of the API without `/v3`; user name and password in it go as Basic */
export function mediaApi(base: string): MediaApi {
  const work = mediaHttp(base, connections.work);
  const aside = mediaHttp(base, connections.aside);
  // A server that answers is alive, however many other questions wait.
  const info = mediaHttp(base, connections.info);
  const calls = new Map<string, number>();

  async function call(method: Method, route: string, rest = '', { http = work, ...options }: CallOptions = {}) {
    calls.set(route, (calls.get(route) ?? 0) + 1);
    const answer = await http.send(method, `/v3/${route}${rest}`, options);
    if (answer.status >= 200 && answer.status < 300) return answer.text;
    throw failureOf(route, answer);
  }
  const get = async <T extends z.ZodType>(route: string, rest: string, schema: T, options?: CallOptions) =>
    parse(route, await call('GET', route, rest, options), schema);

  async function list<T extends z.ZodType>(route: string, item: T): Promise<z.output<T>[]> {
    const items: z.output<T>[] = [];
    const schema = pageOf(item);
    for (let page = 0; page < maxPages; page += 1) {
      const answer = await get(route, `?itemsPerPage=${itemsPerPage}&page=${page}`, schema);
      items.push(...answer.items);
      if (page + 1 >= answer.pageCount) return items;
    }
    throw new MediaError('invalid', `The media server lists more than ${maxPages * itemsPerPage} items at ${route}`);
  }

  return {
    info: (timeoutMs) => get('info', '', infoAnswer, { http: info, ...(timeoutMs !== undefined && { timeoutMs }) }),
    globals: () => get('config/global/get', '', globalsAnswer),
    async patchGlobals(patch) {
      await call('PATCH', 'config/global/patch', '', { body: patch });
    },
    configPaths: () => list('config/paths/list', configPathAnswer),
    configPath: (name, isAside = false) =>
      orNull(get('config/paths/get', inUrl(name), configPathAnswer, { http: isAside ? aside : work })),
    async addPath(name, conf) {
      await call('POST', 'config/paths/add', inUrl(name), { body: conf });
    },
    async replacePath(name, conf) {
      await call('POST', 'config/paths/replace', inUrl(name), { body: conf });
    },
    deletePath: (name) => wasThere(call('DELETE', 'config/paths/delete', inUrl(name))),
    paths: () => list('paths/list', livePathAnswer),
    path: (name) => orNull(get('paths/get', inUrl(name), livePathAnswer)),
    async sessions(kind) {
      const found = (await orNull(list(`${kind}/list`, sessionAnswer))) ?? [];
      return found.map((session) => ({ ...session, kind }));
    },
    kick: (kind, id) => wasThere(call('POST', `${kind}/kick`, `/${encodeURIComponent(id)}`)),
    calls,
    close() {
      for (const http of [work, aside, info]) http.close();
    },
  };
}

/** Slashes stay: the server takes the rest of the URL's path as the name. */
const inUrl = (name: string): string => `/${name.split('/').map(encodeURIComponent).join('/')}`;

function parse<T extends z.ZodType>(route: string, text: string, schema: T): z.output<T> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new MediaError('invalid', `The media server's answer to ${route} is not JSON`, { cause });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const where = parsed.error.issues[0]?.path.join('.');
  throw new MediaError('invalid', `The media server's answer to ${route} is not as expected at ${where || 'its top'}`);
}

function failureOf(route: string, { status, text }: Answer): MediaError {
  const said = errorText(text);
  if (status === 404)
    return new MediaError('not-found', `The media server has no such thing (${route})`, { status, said });
  const why = status === 401 ? 'does not accept our user name and password' : `refused (${status})`;
  return new MediaError('refused', `The media server ${why} (${route})`, { status, said });
}

function errorText(text: string): string {
  try {
    const { error } = JSON.parse(text) as { error?: unknown };
    return typeof error === 'string' ? error : '';
  } catch {
    return text;
  }
}

async function orNull<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof MediaError && error.kind === 'not-found') return null;
    throw error;
  }
}

const wasThere = async (asked: Promise<unknown>): Promise<boolean> => (await orNull(asked)) !== null;
