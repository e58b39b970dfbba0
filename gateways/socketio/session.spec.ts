import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import type { Socket } from 'socket.io';
import type { Authenticator } from '../core/dispatch.types.ts';
import { Session } from './session.ts';

const day = 86_400_000;
beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

test.each([1, 20, 60])('a connection ends when its token does, %d days from now', async (days) => {
  const disconnect = jest.fn();
  const principal = { kind: 'user' as const, id: 'ann', username: 'ann', email: null, roles: ['user' as const] };
  const expires = (Date.now() + days * day) / 1_000;
  const identity = { principal: { ...principal, expires }, token: 'a token' };
  new Session({ disconnect } as unknown as Socket, identity, {} as Authenticator, 0);
  await jest.advanceTimersByTimeAsync(days * day - 1_000);
  expect(disconnect).not.toHaveBeenCalled();
  await jest.advanceTimersByTimeAsync(2_000);
  expect(disconnect).toHaveBeenCalledTimes(1);
});
