import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Failure } from '../../shared/contracts/index.ts';
import { JsonText } from '../../shared/runtime/json-text.ts';
import type { RequestProperties } from './broker.ts';
import { eventTopics, type Parsed, type Refused, readRequest, renderError, renderResult, topicLevel } from './codec.ts';

const base = 'nestmtx';
const read = (value: unknown, properties: RequestProperties = {}): Parsed | Refused =>
  readRequest(
    { payload: Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)), qos: 0, properties },
    base,
  );
const refused = (value: unknown, properties?: RequestProperties): Refused => {
  const result = read(value, properties);
  if (!('failure' in result)) throw new Error('it was read');
  return result;
};
const valid = { command: 'list', module: 'users', requestId: 'unique-request-id' };

describe('readRequest', () => {
  test('reads the example of seed 001 with its token', () => {
    expect(read({ ...valid, token: 'your-access-token' })).toEqual({
      topic: 'nestmtx/responses/unique-request-id',
      request: { ...valid, token: 'your-access-token' },
    });
  });

  test('refuses an unknown key on the response topic and names it', () => {
    const { topic, requestId, failure } = refused({ ...valid, colour: 1 });
    expect([topic, requestId]).toEqual(['nestmtx/responses/unique-request-id', 'unique-request-id']);
    expect(failure.message).toBe('"colour" is not allowed');
  });

  test('refuses a forbidden key in the payload on the response topic and names it', () => {
    const text = '{"command":"create","module":"users","requestId":"r1","payload":{"a":[{"__proto__":{"x":1}}]}}';
    expect(refused(text)).toMatchObject({ topic: 'nestmtx/responses/r1', failure: { type: 'INVALID_REQUEST' } });
    expect(refused(text).failure.message).toContain('__proto__');
  });

  test.each([
    ['not JSON', 'hunter2 {'],
    ['no object', ['hunter2']],
    ['no request id', { command: 'list', module: 'hunter2', token: 'hunter2' }],
    ['a request id that breaks a topic', { ...valid, requestId: 'hunter2/#' }],
    ['an unknown key and no request id', { hunter2: 1 }],
    ['a dollar key and no request id', { $hunter2: 1 }],
    ['a bad response topic and no request id', { token: 'hunter2' }, { responseTopic: '$hunter2' }],
  ])('reports %s without an address and repeats nothing of it', (_, value, properties: RequestProperties = {}) => {
    const { topic, requestId, failure } = refused(value, properties);
    expect([topic, requestId]).toEqual([undefined, undefined]);
    expect(renderError(failure)).not.toContain('hunter2');
    expect(JSON.parse(renderError(failure)).error.code).toBe('INVALID_REQUEST');
  });

  test('names a forbidden key even where nobody can be answered', () => {
    expect(refused('{"constructor":1}').failure.message).toContain('constructor');
  });

  test('refuses more than 1 MB', () => {
    expect(refused({ ...valid, payload: 'x'.repeat(1_048_576) }).failure.type).toBe('PAYLOAD_TOO_LARGE');
  });

  test('throws nothing and always has a topic or a failure, whatever is sent', () => {
    const properties = fc.record(
      {
        responseTopic: fc.string({ unit: 'binary' }),
        contentType: fc.string(),
        correlationData: fc.constant(Buffer.of(1)),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.uint8Array()), properties, (input, given) => {
        const result = readRequest({ payload: Buffer.from(input as string), qos: 1, properties: given }, base);
        if ('failure' in result) expect(result.failure).toBeInstanceOf(Failure);
        else expect(result.topic.length).toBeGreaterThan(0);
      }),
      { numRuns: 500 },
    );
  });
});

describe('MQTT 5 properties of a request', () => {
  test('send the answer to the response topic', () => {
    expect(read(valid, { responseTopic: 'clients/7/answers' })).toMatchObject({ topic: 'clients/7/answers' });
  });

  test('may name the usual topic', () => {
    const responseTopic = 'nestmtx/responses/unique-request-id';
    expect(read(valid, { responseTopic })).toMatchObject({ topic: responseTopic, request: valid });
  });

  test.each([
    'nestmtx/responses/of-another',
    '/nestmtx/responses/of-another',
    'nestmtx/failures',
    'nestmtx/requests',
    'nestmtx/events/camera/1/ready',
    '/nestmtx/stream/camera/ready',
    '$SYS/broker',
    '$share/g/x',
    'a/+/b',
    'a/#',
    'a\u0000b',
    '',
    'x'.repeat(2_000),
  ])('are refused with the response topic %j, on the usual topic', (responseTopic) => {
    const { topic, failure } = refused(valid, { responseTopic });
    expect([topic, failure.type]).toEqual(['nestmtx/responses/unique-request-id', 'INVALID_REQUEST']);
  });

  test('make the request id optional where there is correlation data and a response topic', () => {
    const { requestId: _, ...rest } = valid;
    const correlationData = Buffer.from('c1');
    const parsed = read(rest, { responseTopic: 'clients/7', correlationData }) as Parsed;
    expect(parsed.topic).toBe('clients/7');
    expect(parsed.request.requestId).toMatch(/^[0-9a-f-]{36}$/);
    expect(refused(rest, { correlationData }).topic).toBeUndefined();
    expect(refused(rest, { responseTopic: 'clients/7' }).topic).toBe('clients/7');
  });

  test.each(['application/json', 'application/json; charset=utf-8', 'Application/vnd.x+json'])(
    'are fine with the content type %s',
    (contentType) => {
      expect(read(valid, { contentType })).toHaveProperty('request');
    },
  );

  test.each(['text/plain', 'application/cbor', '', 'application/jsonx'])(
    'refuse the content type %j',
    (contentType) => {
      const { topic, failure } = refused(valid, { contentType });
      expect([topic, failure.type]).toEqual(['nestmtx/responses/unique-request-id', 'UNSUPPORTED_MEDIA_TYPE']);
    },
  );
});

describe('answers', () => {
  test('are empty where the command answers nothing', () => {
    expect([renderResult(undefined), renderResult(null)]).toEqual(['', '']);
    expect(renderResult({ a: 1 })).toBe('{"a":1}');
    expect(renderResult(0)).toBe('0');
    expect(renderResult(new JsonText(Buffer.from('null')))).toBe('');
    expect(renderResult(new JsonText(Buffer.from('{"a":1}'))).toString()).toBe('{"a":1}');
  });

  test('name code, message, details and when to come back', () => {
    const details = [{ message: 'm', path: ['payload', 'a'] }];
    const failure = new Failure('RATE_LIMITED', 'Slow down', { details, retryAfter: 3 });
    expect(JSON.parse(renderError(failure, 'r1'))).toEqual({
      error: { code: 'RATE_LIMITED', message: 'Slow down', details, retryAfter: 3 },
      requestId: 'r1',
    });
  });
});

describe('eventTopics', () => {
  const event = { domain: 'camera', event: 'unDemand', entity: '42', details: {}, at: '2026-01-01T00:00:00.000Z' };

  test('are those of seed 001, those of deployed clients, or both', () => {
    const documented = ['/nestmtx/events/camera/42/unDemand', '/nestmtx/stream/camera/unDemand'];
    const plain = ['nestmtx/events/camera/42/unDemand', 'nestmtx/stream/camera/unDemand'];
    expect(eventTopics(event, base, 'documented')).toEqual(documented);
    expect(eventTopics(event, base, 'plain')).toEqual(plain);
    expect(eventTopics(event, base, 'both')).toEqual([...documented, ...plain]);
  });

  test('say null where there is no entity', () => {
    expect(eventTopics({ ...event, entity: null }, base, 'plain')[0]).toBe('nestmtx/events/camera/null/unDemand');
  });

  test('are not broken by an entity, and different entities have different topics', () => {
    const entity = fc.string({ unit: fc.constantFrom('+', '#', '/', '\u0000', '%', '2', 'B', 'a', '\ud800') });
    fc.assert(
      fc.property(entity, entity, (left, right) => {
        const level = topicLevel(left);
        for (const character of ['+', '#', '/', '\u0000']) expect(level).not.toContain(character);
        expect(decodeURIComponent(level)).toBe(left.toWellFormed());
        if (left.toWellFormed() !== right.toWellFormed()) expect(topicLevel(right)).not.toBe(level);
      }),
    );
    expect(topicLevel('living room/1')).toBe('living room%2F1');
  });
});
