import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { Failure } from '../../shared/contracts/index.ts';
import type { Principal } from '../../shared/runtime/principal.ts';
import type { Authenticator } from '../core/dispatch.types.ts';
import { mqttHooks } from './mqtt.hooks.ts';

type Handler = (...parameters: Parameters<Parameters<typeof createServer>[1] & object>) => Promise<void>;

const admin: Principal = { kind: 'key', id: 'k', username: 'emqx', email: null, roles: ['admin', 'user'] };
let server: Server;
let url: string;
/** A stand-in for who knows the users: how it answers, and whom it was asked about. */
let current: (user: Principal) => Promise<Principal>;
let asked: string[];

beforeAll(async () => {
  const authenticator = {
    current(user: Principal) {
      asked.push(user.id);
      return current(user);
    },
  } as Authenticator;
  const hooks = mqttHooks({
    authenticator,
    authenticate: async () => admin as never,
    config: { mqttBaseTopic: 'nestmtx', mqttAnonymous: 'events' } as never,
  });
  const access = hooks['POST /api/mqtt/acl'] as Handler;
  server = createServer((request, response) => void access(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/mqtt/acl`;
});
beforeEach(() => {
  asked = [];
});
afterAll(() => {
  server.close();
});

async function ask(action: string, topic: string, roles = 'user'): Promise<unknown> {
  const body = JSON.stringify({ action, topic, principal: 'ann', roles });
  const answer = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  return answer.status === 200 ? ((await answer.json()) as { result: string }).result : answer.status;
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
