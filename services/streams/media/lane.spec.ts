import { expect, test } from '@jest/globals';
import { lane } from './lane.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('tasks of a lane run one at a time, urgent ones before those that wait', async () => {
  const { run } = lane();
  const order: string[] = [];
  let running = 0;
  const task = (name: string) => async () => {
    running += 1;
    expect(running).toBe(1);
    await turn();
    order.push(name);
    running -= 1;
  };
  await Promise.all([run(task('first')), run(task('later')), run(task('urgent'), true), run(task('too'), true)]);
  expect(order).toEqual(['first', 'urgent', 'too', 'later']);
});

test('a task that fails fails alone', async () => {
  const { run } = lane();
  const failing = run(() => Promise.reject(new Error('no')));
  const fine = run(async () => 'fine');
  await expect(failing).rejects.toThrow('no');
  await expect(fine).resolves.toBe('fine');
});

test('a lane that is full takes no more', async () => {
  const { run } = lane();
  let open = () => {};
  const blocked = run(() => new Promise<void>((resolve) => (open = resolve)));
  const waiting = Array.from({ length: 10_000 }, () => run(async () => {}));
  await expect(run(async () => {})).rejects.toThrow(/too many/i);
  open();
  await Promise.all([blocked, ...waiting]);
});
