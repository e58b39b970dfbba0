import specs from '@asyncapi/specs';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { dialects } from '../dialects/index.ts';
import { contracts, errorTable, type ServiceContract } from '../index.ts';
import { asyncapi } from './asyncapi.ts';
import { httpRoutes } from './http.ts';
import { publicCommands } from './names.ts';
import { openapi } from './openapi.ts';
import type { Json } from './schemas.ts';

const options = { version: '1.2.3', baseTopic: 'home/mtx' };
const http = openapi(contracts, options);
const messages = asyncapi(contracts, options);
const addFormats = formats as unknown as (ajv: unknown) => void;

/** Every `$ref` of a document, as the path it points at. */
function references(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) =>
    key === '$ref' && typeof item === 'string' ? [item] : references(item),
  );
}

const resolve = (document: unknown, reference: string): unknown =>
  reference
    .split('/')
    .slice(1)
    .reduce<unknown>((at, key) => (at as Json | undefined)?.[key], document);

const operations = Object.values(http.paths as Record<string, Record<string, Json>>).flatMap((item) =>
  Object.entries(item)
    .filter(([method]) => method !== 'parameters')
    .map(([, operation]) => operation),
);

describe.each([
  ['OpenAPI', http],
  ['AsyncAPI', messages],
])('the %s document', (_name, document) => {
  test('holds what it refers to', () => {
    const all = references(document);
    expect(all.length).toBeGreaterThan(100);
    for (const reference of all) expect([reference, resolve(document, reference)]).not.toEqual([reference, undefined]);
  });

  test('is plain JSON', () => {
    expect(JSON.parse(JSON.stringify(document))).toEqual(document);
  });

  test('is the same every time', () => {
    const again = document === http ? openapi(contracts, options) : asyncapi(contracts, options);
    expect(JSON.stringify(again)).toBe(JSON.stringify(document));
  });

  test('names nothing internal', () => {
    const text = JSON.stringify(document);
    for (const word of ['authenticate"', 'tokenVersion', 'disown']) expect(text).not.toContain(word);
  });

  test('has schemas that a validator takes', () => {
    const ajv = document === http ? new Ajv2020({ strict: false }) : new Ajv({ strict: false });
    addFormats(ajv);
    ajv.addSchema({ $id: 'doc', ...document });
    for (const name of Object.keys((document.components as { schemas: Json }).schemas)) {
      expect(ajv.getSchema(`doc#/components/schemas/${name}`)).toBeInstanceOf(Function);
    }
  });
});

describe('OpenAPI', () => {
  test('the document is valid', async () => {
    const result = await new Validator().validate(structuredClone(http));
    expect(result.errors).toBeUndefined();
    expect(result.valid).toBe(true);
  });

  test('the validator does refuse a document that is wrong', async () => {
    const broken = structuredClone(http) as { paths: Record<string, { get: Json }> };
    broken.paths['/api/cameras'] = { get: { operationId: 7 } };
    expect((await new Validator().validate(broken)).valid).toBe(false);
  });

  test('every route is an operation with an id of its own', () => {
    const ids = operations.map(({ operationId }) => operationId);
    expect(ids).toHaveLength(httpRoutes(contracts).length);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toEqual(expect.arrayContaining(['camerasUpdate', 'camerasPatch', 'apiKeysList', 'authRead']));
  });

  test('every tag is told about', () => {
    const told = (http.tags as { name: string }[]).map(({ name }) => name);
    expect(new Set(operations.map(({ tags }) => (tags as string[])[0]))).toEqual(new Set(told));
  });

  test('only what anyone may call asks for no authentication', () => {
    const open = operations.filter(({ security }) => (security as unknown[]).length === 0);
    expect(open.map(({ operationId }) => operationId)).toEqual([
      'authCreate',
      'healthList',
      'versionList',
      'swaggerList',
    ]);
  });

  test('a contract decides the answers', () => {
    const { responses } = operations.find(({ operationId }) => operationId === 'camerasCreate') as { responses: Json };
    expect(Object.keys(responses)).toEqual('201 400 401 403 409 413 415 429 500 503 504'.split(' '));
    expect(resolve(http, '#/components/responses/conflict')).toMatchObject({
      description: `CONFLICT: ${errorTable.CONFLICT.sentence}`,
    });
  });

  test('a payload travels in the query of GET and in the body of POST', () => {
    const list = operations.find(({ operationId }) => operationId === 'camerasList') as { parameters: Json[] };
    expect(list.parameters.map(({ name }) => name)).toEqual(['page', 'itemsPerPage', 'sortBy', 'search']);
    expect(list).not.toHaveProperty('requestBody');
    const create = operations.find(({ operationId }) => operationId === 'camerasCreate');
    expect(create).toMatchObject({
      requestBody: {
        required: true,
        content: { 'application/json': { schema: { $ref: '#/components/schemas/camerasCreate' } } },
      },
    });
  });

  test('paths that are no command can be added', () => {
    const path = { get: { responses: { 200: { description: 'yes' } } } };
    expect(openapi(contracts, { version: '1', paths: { '/live': path } }).paths).toMatchObject({ '/live': path });
  });
});

describe('AsyncAPI', () => {
  let validate: (document: unknown) => boolean;
  let faults: () => unknown;
  beforeAll(() => {
    const schema = structuredClone(specs.schemasWithoutId['3.0.0']) as Json;
    const ajv = new Ajv({ strict: false, validateFormats: false });
    const compiled = ajv.compile(schema);
    validate = (document) => compiled(document) as boolean;
    faults = () => compiled.errors;
  });

  test('the document is valid', () => {
    const valid = validate(messages);
    expect(faults()).toBeNull();
    expect(valid).toBe(true);
  });

  test('the validator does refuse a document that is wrong', () => {
    const channels = { one: { address: 7 } };
    expect(validate({ ...messages, channels })).toBe(false);
    expect(validate({ ...messages, operations: { a: { action: 'shout' } } })).toBe(false);
  });

  test('every command has a request, every event a message', () => {
    const names = Object.keys((messages.components as { messages: Json }).messages);
    const events = (contracts as readonly ServiceContract[]).flatMap(({ events }) =>
      Object.values(events ?? {}).flatMap((byName) => Object.values(byName)),
    );
    const heard = events.filter(({ audience }) => audience !== 'services');
    const spoken = dialects.flatMap(({ receives, sends }) => [...Object.keys(receives), ...Object.keys(sends)]);
    expect(heard.length).toBeLessThan(events.length);
    const commands = publicCommands(contracts);
    const answered = commands.filter(({ contract }) => contract.result);
    expect(names).toHaveLength(commands.length + answered.length + heard.length + spoken.length + 3);
    expect(names).toEqual(
      expect.arrayContaining(['roomsSendRequest', 'roomsSendResponse', 'cameraFailedExtension', 'done', 'failed']),
    );
    expect(resolve(messages, '#/components/messages/cameraDemand/payload/properties/event')).toEqual({
      const: 'demand',
    });
  });

  test('topics stand under the base topic, in both spellings', () => {
    const addresses = Object.values(messages.channels as Record<string, { address: string }>).map(
      ({ address }) => address,
    );
    expect(addresses).toEqual([
      'request',
      '{requestId}',
      'failure',
      '{domain}:{event}',
      'home/mtx/requests',
      'home/mtx/responses/{requestId}',
      'home/mtx/failures',
      '/home/mtx/events/{domain}/{entity}/{event}',
      '/home/mtx/stream/{domain}/{event}',
      'home/mtx/events/{domain}/{entity}/{event}',
      'home/mtx/stream/{domain}/{event}',
      ...dialects.flatMap(({ receives, sends }) => [...Object.keys(sends), ...Object.keys(receives)]),
    ]);
  });

  test('Trigate receives requests, answers them and sends the rest', () => {
    expect(messages.operations).toMatchObject({
      receiveMqttRequests: {
        action: 'receive',
        channel: { $ref: '#/channels/mqttRequests' },
        reply: { channel: { $ref: '#/channels/mqttResponses' } },
      },
      sendSocketioEvents: { action: 'send' },
      sendMqttFailures: { action: 'send' },
    });
    const spoken = dialects.flatMap(({ receives, sends }) => [...Object.keys(receives), ...Object.keys(sends)]);
    expect(Object.keys(messages.operations as Json)).toHaveLength(9 + spoken.length);
  });

  test('an event of a dialect is answered on the channel its contract names', () => {
    expect(messages.operations).toMatchObject({
      receiveServerApiClientMessage: {
        action: 'receive',
        reply: { channel: { $ref: '#/channels/serverApiMessageAck' } },
      },
      sendRoomsGuideNewMessage: { action: 'send' },
    });
  });
});
