import { expect, test } from '@jest/globals';
import { Line } from './line.ts';

const never = () => new Promise<void>(() => {});

test('what comes first runs first, so many at a time', async () => {
  const line = new Line({ places: 1, waiting: 2, bytes: 10 });
  const ran: string[] = [];
  const tasks = ['a', 'b', 'c'].map((name) => line.run(1, async () => void ran.push(name)));
  expect(ran).toEqual(['a']);
  await Promise.all(tasks);
  expect(ran).toEqual(['a', 'b', 'c']);
});

test('no more wait than may, nor larger ones', () => {
  const line = new Line({ places: 1, waiting: 2, bytes: 10 });
  const isTaken = (bytes: number) => line.run(bytes, never) !== undefined;
  expect([isTaken(100), isTaken(4), isTaken(7), isTaken(6), isTaken(0)]).toEqual([true, true, false, true, false]);
});

test('a task that fails gives its place on, and what waited counts no longer', async () => {
  const line = new Line({ places: 1, waiting: 1, bytes: 1 });
  const failing = line.run(1, () => Promise.reject(new Error('broken')));
  const next = line.run(1, async () => {});
  await expect(failing).rejects.toThrow('broken');
  await next;
  expect([line.run(1, never), line.run(1, never), line.run(1, never)].map((one) => one !== undefined)).toEqual([
    true,
    true,
    false,
  ]);
});
