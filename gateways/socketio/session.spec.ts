import { describe, expect, test } from '@jest/globals';
import type { Socket } from 'socket.io';
import type { Authenticator } from '../core/dispatch.types.ts';
import { Session } from './session.ts';

/** A stand-in for a connection: notes in which order it was answered and ended. */
function connection() {
  const order: string[] = [];
  const socket = { disconnect: () => order.push('ended') } as unknown as Socket;
  const principal = { kind: 'user' as const, id: 'ann', username: 'ann', email: null, roles: ['user' as const] };
  const session = new Session(socket, { principal, token: 'a token' }, {} as Authenticator, 0);
  let finish = () => {};
  const work = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const answered = () => session.within(() => work).then(() => order.push('answered'));
  return { order, session, answered, finish };
}

describe('the end of a session', () => {
  test('comes at once where nothing runs', async () => {
    const { order, session } = connection();
    await session.end(60_000);
    expect(order).toEqual(['ended']);
  });

  test('waits for the answer to what runs', async () => {
    const { order, session, answered, finish } = connection();
    const answering = answered();
    const ending = session.end(60_000);
    await new Promise((resolve) => setImmediate(resolve));
    expect(order).toEqual([]);
    finish();
    await Promise.all([answering, ending]);
    expect(order).toEqual(['answered', 'ended']);
  });

  test('waits no longer than it may', async () => {
    const { order, session, answered } = connection();
    void answered();
    await session.end(20);
    expect(order).toEqual(['ended']);
  });

  test('comes when the client has left first', async () => {
    const { order, session, answered } = connection();
    void answered();
    const ending = session.end(60_000);
    session.close();
    await ending;
    expect(order).toEqual(['ended']);
  });
});
