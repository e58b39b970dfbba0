import { expect, test } from '@jest/globals';
import { Validator } from '@seriousme/openapi-schema-validator';
import { z } from 'zod';
import { httpRoutes } from './derive/http.ts';
import { openapi } from './derive/openapi.ts';
import { contracts, httpContracts, type ServiceContract } from './index.ts';
import { action, service } from './kernel.ts';
import { pushContract } from './push.contract.ts';

type Operation = { operationId: string; security: object[]; responses: object };
const document = openapi([...contracts, ...httpContracts], { version: '1.0.0' });
const paths = document.paths as Record<string, Record<string, Operation> & { parameters?: object[] }>;

test('the push API has the addresses of its seeds, and Google one to send people back to, beside those of the modules', () => {
  expect(httpRoutes(httpContracts).map(({ method, path, status }) => `${method} ${path} ${status}`)).toEqual([
    'POST /api/push 200',
    'POST /api/broadcast 200',
    'POST /api/room 200',
    'GET /api/status 200',
    'POST /{event} 200',
    'GET /credentials/authorize 200',
  ]);
  expect(() => httpRoutes([...contracts, ...httpContracts])).not.toThrow();
});

test('the document with it is valid, and says who may ask', async () => {
  expect((await new Validator().validate(structuredClone(document))).errors).toBeUndefined();
  expect(paths['/api/push']?.post?.security).toEqual([{ apiKey: [] }]);
  expect(paths['/{event}']?.post?.security).toEqual([{ bearer: [] }, { apiKey: [] }]);
  expect(paths['/{event}']?.parameters).toMatchObject([{ name: 'event', in: 'path', required: true }]);
});

test('JSON Schema says which names of events are reserved', () => {
  const { payload } = pushContract.modules.push.actions.broadcast;
  const { properties } = z.toJSONSchema(payload, { unrepresentable: 'throw' }) as unknown as {
    properties: { event: { pattern?: string; allOf?: { pattern: string }[] } };
  };
  const { pattern, allOf = [] } = properties.event;
  const patterns = [pattern, ...allOf.map((one) => one.pattern)].filter((one) => one !== undefined);
  const fits = (name: string) => patterns.every((one) => new RegExp(one).test(name));
  expect(['error', 'disconnect', 'errors', 'a\u0000b', 'collection:update'].map(fits)).toEqual([
    false,
    false,
    true,
    false,
    true,
  ]);
});

test('an address of its own and the contract agree about an entity', () => {
  const made = (path: string, entity?: 'required'): ServiceContract[] => {
    const shout = action({
      summary: 's',
      access: 'user',
      result: null,
      http: { method: 'POST', path },
      ...(entity && { entity }),
    });
    return [service({ service: 's', modules: { m: { summary: 's', actions: { shout } } } })];
  };
  expect(() => httpRoutes(made('/{name}'))).toThrow('m.shout');
  expect(() => httpRoutes(made('/name', 'required'))).toThrow('m.shout');
  expect(httpRoutes(made('/{name}', 'required'))).toMatchObject([{ path: '/{name}', entityFrom: 'path' }]);
});
