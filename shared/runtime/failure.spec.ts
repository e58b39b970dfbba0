import { expect, test } from '@jest/globals';
import moleculer from 'moleculer';
import { Failure } from '../contracts/index.ts';
import { Duplicate, StoreUnavailable } from '../store/collection.ts';
import { FailureRegenerator, toFailure } from './failure.ts';

const { Errors } = moleculer;

test.each([
  [new Duplicate('username'), 'CONFLICT'],
  [new StoreUnavailable('mongodb is gone'), 'UNAVAILABLE'],
  [new Errors.ServiceNotFoundError({ action: 'a.b' }), 'UNAVAILABLE'],
  [new Errors.ServiceNotAvailableError({ action: 'a.b' }), 'UNAVAILABLE'],
  [new Errors.RequestRejectedError({ action: 'a.b' }), 'UNAVAILABLE'],
  [new Errors.QueueIsFullError({ action: 'a.b', nodeID: 'x', size: 1, limit: 1 } as never), 'UNAVAILABLE'],
  [new Errors.BrokerDisconnectedError('gone'), 'UNAVAILABLE'],
  [new Errors.RequestTimeoutError({ action: 'a.b', nodeID: 'x' }), 'TIMEOUT'],
  [new TypeError('x is not a function'), 'INTERNAL_SERVER_ERROR'],
])('%s becomes %s', (error, type) => {
  expect(toFailure(error).type).toBe(type);
});

test('what nobody foresaw is told without its message', () => {
  expect(toFailure(new Error('password=secret')).message).toBe('Internal server error');
});

test('a failure crosses the wire with its code, sentence and details, without a stack', () => {
  const regenerator = new FailureRegenerator();
  regenerator.init({ nodeID: 'here' } as never);
  const details = [{ message: 'wrong', path: ['payload', 'name'] }];
  const plain = JSON.parse(
    JSON.stringify(regenerator.extractPlainError(new Failure('INVALID_REQUEST', 'No', { details, retryAfter: 3 }))),
  );
  expect(plain.stack).toBe('');
  const restored = regenerator.restore(plain, { sender: 'there' } as never);
  expect(restored).toBeInstanceOf(Failure);
  expect(restored).toMatchObject({
    type: 'INVALID_REQUEST',
    code: 400,
    message: 'No',
    data: { details, retryAfter: 3 },
  });
});
