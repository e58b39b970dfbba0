import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { Failure } from '../../shared/contracts/index.ts';
import { memoryBus } from '../../shared/fanout/memory.bus.ts';
import type { Principal } from '../../shared/runtime/principal.ts';
import type { Authenticator } from '../core/dispatch.types.ts';
import { perMinuteOfAll, type SharedLimit } from '../core/limits.ts';
import { guesses } from './guesses.ts';
import { mqttHooks } from './mqtt.hooks.ts';

type Handler = (...parameters: Parameters<Parameters<typeof createServer>[1] & object>) => Promise<void>;

const admin: Principal = { kind: 'key', id: 'k', username: 'emqx', email: null, roles: ['admin', 'user'] };
let servers: Server[];
let failures: SharedLimit;
let url: string;
/** A stand-in for who knows the users: how it answers, and whom it was asked about. */
let current: (user: Principal) => Promise<Principal>;
let asked: string[];

const authenticator = {
  current(user: Principal) {
    asked.push(user.id);
    return current(user);
  },
} as Authenticator;

beforeAll(async () => {
  servers = [];
  failures = await perMinuteOfAll(2, 'test', memoryBus());
  url = await serve('acl');
});
beforeEach(() => {
  asked = [];
});
afterAll(async () => {
  await failures.stop();
  for (const server of servers) server.close();
});

/** Where one of the two hooks answers, with the login of the gateways. */
async function serve(hook: 'auth' | 'acl', login: object = {}): Promise<string> {
  const hooks = mqttHooks({
    authenticator,
    authenticate: async () => admin as never,
    guesses: guesses(failures, { authStrategy: 'jwt' }),
    config: { mqttBaseTopic: 'nestmtx', mqttAnonymous: 'events', ...login } as never,
  });
  const handler = hooks[`POST /api/mqtt/${hook}`] as Handler;
  const server = createServer((request, response) => void handler(request, response));
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/mqtt/${hook}`;
}

async function post(to: string, given: object): Promise<unknown> {
  const body = JSON.stringify(given);
  const answer = await fetch(to, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  return answer.status === 200 ? answer.json() : answer.status;
}

async function ask(action: string, topic: string, roles = 'user'): Promise<unknown> {
  const answer = await post(url, { action, topic, principal: 'ann', roles });
  return (answer as { result?: string }).result ?? answer;
}

test.each([
  ['publish', 'nestmtx/requests', 'allow'],
  ['publish', 'nestmtx/events/camera/1/ready', 'deny'],
  ['subscribe', 'nestmtx/responses/r1', 'allow'],
  ['subscribe', 'nestmtx/responses/+', 'deny'],
  ['subscribe', 'nestmtx/failures', 'allow'],
  ['subscribe', 'nestmtx/requests', 'deny'],
])('%s %s is answered without asking who the user is now', async (action, topic, result) => {
  current = () => Promise.reject(new Failure('UNAVAILABLE'));
  expect([await ask(action, topic), asked]).toEqual([result, []]);
});

test.each<[string, () => Promise<Principal>]>([
  ['nobody can say', () => Promise.reject(new Failure('UNAVAILABLE'))],
  ['no answer comes in time', () => new Promise(() => {})],
])('where %s who a user is now it hears what every user hears, and no more', async (_why, answer) => {
  current = answer;
  const filters = ['nestmtx/events/camera/#', '/nestmtx/stream/presence/online', 'nestmtx/events/users/#'];
  const results = await Promise.all(filters.map((filter) => ask('subscribe', filter, 'admin user')));
  expect(results).toEqual(['allow', 'allow', 'deny']);
  expect(asked).toEqual(['ann', 'ann', 'ann']);
});

test('a user who may not log in any more hears no events', async () => {
  current = () => Promise.reject(new Failure('UNAUTHORIZED'));
  expect(await ask('subscribe', 'nestmtx/events/camera/#')).toBe('deny');
});

test('a user hears what its roles are now, not what they were', async () => {
  current = async (user) => ({ ...user, roles: ['admin', 'user'] });
  expect(await ask('subscribe', 'nestmtx/events/users/#', 'user')).toBe('allow');
});

test.each([
  ['none', {}, [], ['', 'secret']],
  ['an empty one', { mqttPassword: '' }, [], ['', 'secret']],
  ['one', { mqttPassword: 'secret' }, ['secret'], ['', 'secret ']],
])('of gateways whose password is %s only who has it is a superuser', async (_what, password, good, bad) => {
  const auth = await serve('auth', { mqttUsername: 'gateway', ...password });
  const login = (given: string) => post(auth, { username: 'gateway', password: given });
  for (const given of good) expect(await login(given)).toEqual({ result: 'allow', is_superuser: true });
  for (const given of bad) expect(await login(given)).toEqual({ result: 'deny' });
  expect(await post(auth, { username: 'gateway' })).toEqual({ result: 'deny' });
});

test('who guesses the password of the gateways gets no further guess, where EMQX tells its address', async () => {
  const auth = await serve('auth', { mqttUsername: 'gateway', mqttPassword: 'secret' });
  const login = (password: string, peerhost: string) => post(auth, { username: 'gateway', password, peerhost });
  for (const password of ['a', 'b']) expect(await login(password, '10.0.0.1')).toEqual({ result: 'deny' });
  expect(await login('secret', '10.0.0.1')).toEqual({ result: 'deny' });
  expect(await login('secret', '10.0.0.2')).toMatchObject({ result: 'allow' });
  expect(await login('secret', '10.0.0.1')).toMatchObject({ result: 'allow' });
});
