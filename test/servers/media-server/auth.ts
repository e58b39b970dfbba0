import { createHash } from 'node:crypto';
import { request } from 'node:http';
import { request as secureRequest } from 'node:https';
import { BlockList, isIPv6 } from 'node:net';
import { durationMs, type GlobalConfig, type InternalUser, type Permission } from './config.ts';

/** Somebody who wants something, with what is known of them. */
export interface Attempt {
  action: 'publish' | 'read' | 'api';
  /** '' for the API. */
  path: string;
  protocol: 'rtsp' | 'hls' | '';
  /** Of the session, or null for the API. */
  id: string | null;
  query: string;
  userAgent: string;
  ip: string;
  user: string;
  password: string;
  token: string;
  /** Checks what was sent against a known password, where it is no plain one. */
  verify?: (user: string, password: string) => boolean;
}

/** Not allowed. `ask`: no credentials came at all, so the client is asked for some. */
export class AuthError extends Error {
  readonly ask: boolean;

  constructor(reason: string, ask: boolean) {
    super(reason);
    this.ask = ask;
  }
}

function isAmong(ip: string, networks: readonly string[]): boolean {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', bits] = network.split('/');
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    list.addSubnet(address, Number(bits ?? (family === 'ipv6' ? 128 : 32)), family);
  }
  return list.check(ip, isIPv6(ip) ? 'ipv6' : 'ipv4');
}

const isPathOf = (pattern: string, path: string): boolean =>
  pattern === '' || (pattern.startsWith('~') ? new RegExp(pattern.slice(1)).test(path) : pattern === path);

const isAllowed = (permissions: readonly Permission[], { action, path }: Attempt): boolean =>
  permissions.some((permission) => permission.action === action && isPathOf(permission.path, path));

function matches(wanted: string, given: string): boolean {
  if (!wanted.startsWith('sha256:')) return wanted === given;
  return createHash('sha256').update(given).digest('base64') === wanted.slice('sha256:'.length);
}

function isUser(attempt: Attempt, { user, pass = '', ips = [], permissions = [] }: InternalUser): boolean {
  if (ips.length > 0 && !isAmong(attempt.ip, ips)) return false;
  if (!isAllowed(permissions, attempt)) return false;
  if (user === 'any') return true;
  if (attempt.verify) return attempt.verify(user, pass);
  return matches(user, attempt.user) && matches(pass, attempt.password);
}

/** The bearer token, else the password, else (where URLs carry credentials) `token` or the older `jwt` of the query. */
function tokenOf({ token, password, protocol, query }: Attempt): string {
  if (token || password) return token || password;
  if (protocol !== 'rtsp') return '';
  const parameters = new URLSearchParams(query);
  return parameters.get('token') ?? parameters.get('jwt') ?? '';
}

/** Posts JSON on a connection of its own, as the real server does; resolves to the status. */
function post(address: string, body: string, timeoutMs: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const send = address.startsWith('https:') ? secureRequest : request;
    const sent = send(address, { method: 'POST', headers, agent: false, timeout: timeoutMs }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    sent.on('timeout', () => sent.destroy(new Error('timeout')));
    sent.on('error', reject);
    sent.end(body);
  });
}

/** Decides who may do what: by the users of the configuration, or by asking an HTTP server. */
export class Authenticator {
  readonly #config: () => GlobalConfig;
  readonly #maxPauseMs: number;

  /** Denied attempts with credentials are answered after a random pause of up to `maxPauseMs`; the real server's is 4 s. */
  constructor(config: () => GlobalConfig, maxPauseMs: number) {
    this.#config = config;
    this.#maxPauseMs = maxPauseMs;
  }

  /** Resolves to the user's name. @throws AuthError */
  async check(attempt: Attempt): Promise<string> {
    const { authMethod, authInternalUsers } = this.#config();
    const token = authMethod === 'internal' ? '' : tokenOf(attempt);
    const refusal =
      authMethod === 'internal'
        ? authInternalUsers.some((user) => isUser(attempt, user))
          ? undefined
          : 'authentication failed'
        : await this.#askServer(attempt, token);
    if (refusal === undefined) return attempt.user;
    const ask = !attempt.user && !attempt.password && !token;
    if (!ask) await new Promise((resolve) => setTimeout(resolve, Math.random() * this.#maxPauseMs));
    throw new AuthError(refusal, ask);
  }

  async #askServer(attempt: Attempt, token: string): Promise<string | undefined> {
    const { authHTTPAddress, authHTTPExclude, readTimeout } = this.#config();
    if (isAllowed(authHTTPExclude, attempt)) return undefined;
    const { ip, user, password, action, path, protocol, id, query, userAgent } = attempt;
    const body = JSON.stringify({ ip, user, password, token, action, path, protocol, id, query, userAgent });
    try {
      const status = await post(authHTTPAddress, body, durationMs(readTimeout));
      return status >= 200 && status <= 299 ? undefined : `server replied with code ${status}`;
    } catch (error) {
      return `HTTP request failed: ${(error as Error).message}`;
    }
  }
}

/** User, password and token of an HTTP request: Basic, `Bearer user:password` or `Bearer token`. */
export function httpCredentials(authorization: string | undefined): Pick<Attempt, 'user' | 'password' | 'token'> {
  const [, scheme = '', value = ''] = /^(basic|bearer) (\S+)$/i.exec(authorization ?? '') ?? [];
  const text = scheme.toLowerCase() === 'basic' ? Buffer.from(value, 'base64').toString() : value;
  const colon = text.indexOf(':');
  if (colon >= 0) return { user: text.slice(0, colon), password: text.slice(colon + 1), token: '' };
  return { user: '', password: '', token: scheme.toLowerCase() === 'bearer' ? text : '' };
}
