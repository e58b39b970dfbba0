import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { Server } from 'socket.io';
import { type RecoveryAdapter, recoveryAdapter } from './recovery.adapter.ts';

const session = { sid: 'socket', pid: 'secret', rooms: ['a'], data: {} };
let adapter: RecoveryAdapter;

beforeEach(() => {
  jest.useFakeTimers();
  adapter = new Server({ adapter: recoveryAdapter }).of('/').adapter as unknown as RecoveryAdapter;
  adapter.addAll(session.sid, new Set(session.rooms));
});
afterEach(() => void jest.useRealTimers());

/** Tells the room a number. @returns what a client remembers of it */
function tell(n: number): string {
  const packet = { type: 2, nsp: '/', data: ['n', n] as unknown[] };
  adapter.broadcast(packet, { rooms: new Set(['a']) });
  return packet.data.at(-1) as string;
}

function goes(): void {
  adapter.persistSession(session);
  adapter.delAll(session.sid);
}

/** The numbers that the session is sent when it comes back; undefined where it begins anew. */
async function comesBack(offset: string): Promise<unknown[] | undefined> {
  if (!(await adapter.restoreSession(session.pid, offset))) return undefined;
  const numbers: unknown[] = [];
  const packet = ({ data }: { data: unknown[] }) => void numbers.push(data[1]);
  adapter.connected({ ...session, id: session.sid, rooms: new Set(session.rooms), once: () => {}, packet } as never);
  return numbers;
}

test.each([
  [119, [2, 3]],
  [121, undefined],
])('a session that was away for %d s is sent %j', async (seconds, missed) => {
  const offset = tell(1);
  goes();
  tell(2);
  jest.advanceTimersByTime(seconds * 1_000);
  tell(3);
  expect(await comesBack(offset)).toEqual(missed);
});

test('the two minutes begin when it is noticed that the client is gone, however long that took', async () => {
  const offset = tell(1);
  tell(2);
  // A ping after 25 s, and 20 s for its answer.
  jest.advanceTimersByTime(45_000);
  goes();
  jest.advanceTimersByTime(119_000);
  tell(3);
  expect(await comesBack(offset)).toEqual([2, 3]);
});
