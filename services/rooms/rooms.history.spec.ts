import { beforeEach, describe, expect, test } from '@jest/globals';
import { silentLog } from '../../shared/runtime/log.ts';
import { openMemory } from '../../shared/store/file.collections.ts';
import { type RoomHistory, roomHistory } from './rooms.history.ts';
import { maxHistory } from './rooms.rules.ts';
import { type RoomsStore, roomsStore } from './rooms.store.ts';

const from = { id: 'ann', username: 'ann', email: null };
const day = 24 * 60 * 60 * 1_000;
let store: RoomsStore;
let history: RoomHistory;
const texts = async (room: string, limit = 100) => (await history.read(room, { limit })).map(({ message }) => message);

beforeEach(async () => {
  store = await roomsStore(openMemory());
  history = roomHistory(store.messages, silentLog);
});

describe('the history of a room', () => {
  test('is read oldest first, page by page', async () => {
    for (let n = 1; n <= 5; n++) await history.append('a', from, { message: n });
    await history.append('b', from, { message: 'elsewhere' });
    const newest = await history.read('a', { limit: 2 });
    expect(newest.map(({ message }) => message)).toEqual([4, 5]);
    const earlier = await history.read('a', { limit: 2, before: newest[0]?.id });
    expect(earlier.map(({ message }) => message)).toEqual([2, 3]);
  });

  test('gives nothing before a message it does not hold', async () => {
    const { id } = await history.append('b', from, { message: 'elsewhere' });
    await history.append('a', from, { message: 1 });
    expect(await history.read('a', { limit: 10, before: id })).toEqual([]);
    expect(await history.read('a', { limit: 10, before: 'nope' })).toEqual([]);
  });

  test('is cut at 512 KB, but never to nothing', async () => {
    for (let n = 1; n <= 4; n++) await history.append('a', from, { message: `${n}${'x'.repeat(200 * 1_024)}` });
    const page = await history.read('a', { limit: 10 });
    expect(page.map(({ message }) => String(message)[0])).toEqual(['3', '4']);
    await history.append('a', from, { message: `5${'x'.repeat(600 * 1_024)}` });
    expect(await history.read('a', { limit: 10 })).toHaveLength(1);
  });

  test('is cut by what its messages carry beside their text, too', async () => {
    const metadata = { blob: 'x'.repeat(200 * 1_024) };
    for (let n = 1; n <= 4; n++) await history.append('a', from, { message: n, metadata });
    expect(await texts('a')).toEqual([3, 4]);
  });

  test('keeps its newest messages only', async () => {
    for (let n = 1; n <= maxHistory + 120; n++) await history.append('a', from, { message: n });
    const kept = await store.messages.count({ room: 'a' });
    expect(kept).toBeGreaterThanOrEqual(maxHistory);
    expect(kept).toBeLessThanOrEqual(maxHistory + 50);
    expect((await texts('a', 1))[0]).toBe(maxHistory + 120);
  });

  test('drops what is older than 30 days', async () => {
    await history.append('a', from, { message: 'kept' });
    expect(await history.expire(Date.now() + 29 * day)).toBe(0);
    expect(await history.expire(Date.now() + 31 * day)).toBe(1);
    expect(await texts('a')).toEqual([]);
  });

  test('is gone with its room', async () => {
    await history.append('a', from, { message: 1 });
    await history.append('b', from, { message: 2 });
    await history.forget('a');
    expect([await texts('a'), await texts('b')]).toEqual([[], [2]]);
  });
});
