import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Failure } from '../../shared/contracts/index.ts';
import type { EnvelopeOptions } from './envelope.ts';
import { readEnvelope, usableRequestId } from './envelope.ts';

const mqtt: EnvelopeOptions = { protocol: 'mqtt', token: true };
const socketio: EnvelopeOptions = { protocol: 'socketio' };
const valid = { command: 'list', module: 'users', requestId: 'r1' };

const failureOf = (value: unknown, options = mqtt): Failure => {
  try {
    readEnvelope(value, options);
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
};

describe('readEnvelope', () => {
  test('reads every key', () => {
    const value = { ...valid, entity: '7', payload: { a: 1 }, token: 'secret' };
    expect(readEnvelope(value, mqtt)).toEqual(value);
  });

  test('adds no key that was not sent', () => {
    expect(readEnvelope(valid, mqtt)).toStrictEqual(valid);
  });

  test('reads an entity given as a number as a string', () => {
    expect(readEnvelope({ ...valid, entity: 12 }, mqtt).entity).toBe('12');
  });

  test.each([null, true, [], {}, 1.5, Number.NaN, Infinity])('refuses the entity %p', (entity) => {
    expect(failureOf({ ...valid, entity }).data.details?.[0]?.path).toEqual(['entity']);
  });

  test('refuses a key beside those named and names it', () => {
    const failure = failureOf({ ...valid, colour: 'red' });
    expect(failure.type).toBe('INVALID_REQUEST');
    expect(failure.message).toBe('"colour" is not allowed');
    expect(failure.data.details).toEqual([{ message: '"colour" is not allowed', path: ['colour'] }]);
  });

  test('refuses a token where the protocol carries it elsewhere', () => {
    expect(failureOf({ ...valid, token: 't' }, socketio).message).toBe('"token" is not allowed');
  });

  test('names every fault at once, and never the value of a token', () => {
    const failure = failureOf({ command: 1, requestId: 'a/b', token: 'line\nbreak' });
    expect(failure.data.details?.map(({ path }) => path[0])).toEqual(['command', 'requestId', 'token', 'module']);
    expect(JSON.stringify(failure.data)).not.toContain('break');
  });

  test('bounds what it repeats of a request with many or long keys', () => {
    const many = Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`k${index}`, 1]));
    expect(failureOf({ ...valid, ...many }).data.details?.length).toBeLessThanOrEqual(10);
    expect(failureOf({ ...valid, ['x'.repeat(5_000)]: 1 }).message.length).toBeLessThan(100);
  });

  test.each([null, undefined, 'text', 7, [], [valid]])('refuses %p, which is not an object', (value) => {
    expect(failureOf(value).message).toBe('The request is not an object');
  });

  test('takes a request id from the caller where none was sent, else the one that was sent', () => {
    const { requestId: _, ...rest } = valid;
    expect(readEnvelope(rest, { ...mqtt, requestId: 'made' }).requestId).toBe('made');
    expect(readEnvelope(valid, { ...mqtt, requestId: 'made' }).requestId).toBe('r1');
    expect(failureOf(rest).data.details?.[0]?.path).toEqual(['requestId']);
  });

  test('throws nothing but failures, and what it lets through keeps the rules', () => {
    const value = fc.oneof(
      fc.anything(),
      fc.record(
        {
          command: fc.anything(),
          module: fc.string(),
          requestId: fc.string({ unit: 'binary' }),
          entity: fc.anything(),
          payload: fc.anything(),
          token: fc.anything(),
        },
        { requiredKeys: ['requestId'] },
      ),
    );
    fc.assert(
      fc.property(value, (input) => {
        try {
          const request = readEnvelope(input, mqtt);
          expect(usableRequestId(request, 'mqtt')).toBe(request.requestId);
          expect(typeof request.entity).toMatch(/string|undefined/);
        } catch (error) {
          expect(error).toBeInstanceOf(Failure);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('usableRequestId', () => {
  test('is found however wrong the rest is', () => {
    expect(usableRequestId({ requestId: 'r', command: 4, nonsense: true }, 'mqtt')).toBe('r');
  });

  test.each([undefined, null, '', 4, {}, 'a\nb', 'a\u0000', 'a\u0085', '\ud800', 'x'.repeat(129)])(
    'is not %j on any protocol',
    (requestId) => {
      for (const protocol of ['http', 'socketio', 'mqtt'] as const) {
        expect(usableRequestId({ requestId }, protocol)).toBeUndefined();
      }
    },
  );

  test.each(['a+b', '#', 'a/b'])('is not %s on MQTT alone', (requestId) => {
    expect(usableRequestId({ requestId }, 'mqtt')).toBeUndefined();
    expect(usableRequestId({ requestId }, 'socketio')).toBe(requestId);
  });

  test('is no event that Socket.IO keeps for itself', () => {
    expect(usableRequestId({ requestId: 'disconnect' }, 'socketio')).toBeUndefined();
    expect(usableRequestId({ requestId: 'disconnect' }, 'mqtt')).toBe('disconnect');
  });

  test('is not inherited', () => {
    expect(usableRequestId(JSON.parse('{"__proto__":{"requestId":"r"}}'), 'mqtt')).toBeUndefined();
    expect(usableRequestId(Object.create({ requestId: 'r' }), 'mqtt')).toBeUndefined();
  });
});
