import { expect, test } from '@jest/globals';
import { z } from 'zod';
import { contracts } from '../index.ts';
import { type ActionContract, action, type ServiceContract, service } from '../kernel.ts';
import { httpRoutes } from './http.ts';

const routes = httpRoutes(contracts);
const lines = (module: string) =>
  routes
    .filter((route) => route.module === module)
    .map(({ method, path, command, status, payloadFrom }) => `${method} ${path} ${command} ${status} ${payloadFrom}`);

const made = (actions: Record<string, ActionContract>): readonly ServiceContract[] => [
  service({ service: 's', modules: { m: { summary: 's', actions } } }),
];
const plain: ActionContract = action({ summary: 's', access: 'user', result: null });

test('a module with a collection has the addresses of the HTTP protocol', () => {
  expect(lines('cameras')).toEqual([
    'GET /api/cameras list 200 query',
    'POST /api/cameras create 201 body',
    'GET /api/cameras/{id} read 200 null',
    'PUT /api/cameras/{id} update 200 body',
    'PATCH /api/cameras/{id} update 200 body',
    'DELETE /api/cameras/{id} delete 204 null',
    'POST /api/cameras/rekey rekey 200 body',
  ]);
});

test('commands without an entity act on the module itself', () => {
  expect(lines('auth')).toEqual([
    'POST /api/auth create 201 body',
    'GET /api/auth read 200 null',
    'DELETE /api/auth delete 204 null',
  ]);
});

test('other commands are posted to their name', () => {
  expect(lines('rooms').slice(-4)).toEqual([
    'POST /api/rooms/{id}/join join 200 null',
    'POST /api/rooms/{id}/leave leave 200 null',
    'POST /api/rooms/{id}/send send 200 body',
    'POST /api/rooms/{id}/history history 200 body',
  ]);
});

test('the entity comes from the path where there is one', () => {
  for (const { path, entityFrom, contract } of routes) {
    expect(entityFrom).toBe(path.includes('{id}') ? 'path' : null);
    expect(contract.entity).toBe(entityFrom ? 'required' : undefined);
  }
});

test('internal actions have no route', () => {
  expect(routes.filter(({ contract }) => contract.access === 'internal')).toEqual([]);
  expect(routes.map(({ command }) => command)).not.toContain('authenticate');
});

test('names of what every object has are ordinary commands', () => {
  const actions: Record<string, ActionContract> = Object.fromEntries([
    ['constructor', { ...plain, entity: 'required' as const }],
  ]);
  const [route] = httpRoutes(made(actions));
  expect(route).toMatchObject({ method: 'POST', path: '/api/m/{id}/constructor' });
});

test('a payload of a delete comes from the query', () => {
  const [route] = httpRoutes(made({ delete: { ...plain, payload: z.strictObject({}) } }));
  expect(route).toMatchObject({ method: 'DELETE', payloadFrom: 'query' });
});

test('a contract without an address of its own is refused by name', () => {
  expect(() => httpRoutes(made({ list: plain, read: plain }))).toThrow('m.read and m.list are both at GET /api/m');
  expect(() => httpRoutes(made({ list: { ...plain, entity: 'required' } }))).toThrow('m.list');
  expect(() => httpRoutes(made({ read: { ...plain, entity: 'optional' } }))).toThrow('m.read');
  expect(() => httpRoutes(made({ shout: plain }))).toThrow('m.shout');
});
