import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { Failure } from '../../shared/contracts/index.ts';
import type { Config } from '../../shared/runtime/config.ts';
import { toFailure } from '../../shared/runtime/failure.ts';
import { anonymous, type Principal } from '../../shared/runtime/principal.ts';
import { invalidRequest } from '../../shared/runtime/validator.ts';
import type { Authenticator } from '../core/dispatch.types.ts';
import { dependsOnRoles, mayPublish, maySubscribe } from '../core/mqtt-acl.rules.ts';
import type { Authenticate } from './authenticate.ts';
import { readJsonBody, serverBodyMs } from './body.ts';
import { requestIdOf } from './commands.ts';
import type { Guesses } from './guesses.ts';
import { writeFailure, writeResult } from './reply.ts';

/** Milliseconds to find out who a user is now; EMQX waits for five seconds. */
const currentMs = 3_000;
const optionalText = z.string().max(8_192).nullish();
/** `peerhost`: the client's address, where EMQX is told to send it. */
const loginSchema = z.object({ username: optionalText, password: optionalText, peerhost: optionalText });
/** What EMQX sends back of `client_attrs`, which it got with the login; its templates give texts, empty where unset. */
const accessSchema = z.object({
  action: z.enum(['publish', 'subscribe']),
  topic: z.string().max(65_535),
  principal: z.string().max(256).default(''),
  roles: z.string().max(64).default(''),
});

export interface MqttHookDeps {
  authenticator: Authenticator;
  authenticate: Authenticate;
  guesses: Guesses;
  config: Pick<Config, 'mqttBaseTopic' | 'mqttAnonymous' | 'mqttUsername' | 'mqttPassword'>;
}

type Handler = (body: unknown) => Promise<object>;

/**
 * `POST /api/mqtt/auth` and `/api/mqtt/acl`, which EMQX asks for each login and each topic. It presents an API key of
 * an administrator: the answers say which passwords are good.
 */
export function mqttHooks({ authenticator, authenticate, guesses, config }: MqttHookDeps): Record<string, unknown> {
  const rules = { base: config.mqttBaseTopic, anonymous: config.mqttAnonymous };

  async function login(body: unknown): Promise<object> {
    const { username, password, peerhost } = parse(loginSchema, body);
    const address = peerhost || undefined;
    if (config.mqttUsername !== undefined && username === config.mqttUsername) {
      const checked = guesses.key(address, password ?? undefined, async () => gatewayLogin(password ?? ''));
      return (await checked.catch(refusalOf)) ?? deny;
    }
    if (!password) return config.mqttAnonymous === 'off' ? deny : { result: 'allow', is_superuser: false };
    const checked = guesses.bearer(address, password, () => authenticator.bearer(password));
    const principal = await checked.catch(refusalOf);
    return principal ? granted(principal, authenticator.tokenVersion(principal)) : deny;
  }

  /** @throws Failure UNAUTHORIZED */
  function gatewayLogin(password: string): object {
    if (config.mqttPassword && isSame(password, config.mqttPassword)) return { result: 'allow', is_superuser: true };
    throw new Failure('UNAUTHORIZED');
  }

  async function access(body: unknown): Promise<object> {
    const { action, topic, principal: id, roles } = parse(accessSchema, body);
    const known = id === '' ? anonymous : principalOf(id, roles);
    if (action === 'publish') return verdict(mayPublish(known, topic, rules));
    // Requests and their answers need nobody but this process: they go on where it cannot be known who a user is now.
    const asker = id !== '' && dependsOnRoles(topic, rules) ? await asOfNow(known) : known;
    return verdict(asker !== undefined && maySubscribe(asker, topic, rules));
  }

  /** Undefined for a user who may not log in any more; one of whom nobody knows has the least role. */
  async function asOfNow(user: Principal): Promise<Principal | undefined> {
    const least: Principal = { ...user, roles: ['user'] };
    const late = delay(currentMs, least, { ref: false });
    const current = authenticator.current(user).catch((error: unknown) => {
      return toFailure(error).type === 'UNAUTHORIZED' ? undefined : least;
    });
    return Promise.race([current, late]);
  }

  const hook = (handler: Handler) => async (request: IncomingMessage, response: ServerResponse) => {
    const requestId = requestIdOf(request);
    try {
      const asker = await authenticate(request);
      if (!asker.roles.includes('admin')) throw new Failure(asker.kind === 'anonymous' ? 'UNAUTHORIZED' : 'FORBIDDEN');
      writeResult(response, 200, requestId, await handler(await readJsonBody(request, { withinMs: serverBodyMs })));
    } catch (error) {
      writeFailure(response, requestId, toFailure(error));
    }
  };
  return { 'POST /api/mqtt/auth': hook(login), 'POST /api/mqtt/acl': hook(access) };
}

const deny = { result: 'deny' };
const verdict = (allowed: boolean) => (allowed ? { result: 'allow' } : deny);

/** EMQX ends the session itself at `expire_at`; `version` tells the MQTT gateways whether its token was revoked. */
const granted = ({ id, roles, expires }: Principal, version: number | undefined) => ({
  result: 'allow',
  is_superuser: false,
  client_attrs: { principal: id, roles: roles.join(' '), ...(version !== undefined && { version: `${version}` }) },
  ...(expires !== undefined && Number.isFinite(expires) && { expire_at: Math.floor(expires) }),
});

function principalOf(id: string, roles: string): Principal {
  return { ...anonymous, kind: 'user', id, roles: roles.split(' ').includes('admin') ? ['admin', 'user'] : ['user'] };
}

/**
 * Undefined for a bad token or password, a user who may not log in, or too many who were refused; what says nothing
 * about the client (a service is down) is thrown on.
 */
function refusalOf(error: unknown): undefined {
  const { type } = toFailure(error);
  if (type !== 'UNAUTHORIZED' && type !== 'RATE_LIMITED') throw error;
  return undefined;
}

function parse<S extends z.ZodType>(schema: S, body: unknown): z.output<S> {
  const parsed = schema.safeParse(body);
  if (!parsed.success) throw invalidRequest(parsed.error);
  return parsed.data;
}

function isSame(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}
