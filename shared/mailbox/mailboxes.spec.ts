import { expect, test } from '@jest/globals';
import { Mailboxes } from './mailboxes.ts';

const failing = (_key: string, error: unknown) => {
  throw error;
};

/** Steps that end when they are told to. */
function held() {
  const log: string[] = [];
  const ends: (() => void)[] = [];
  const step = (key: string) =>
    new Promise<void>((resolve) => {
      log.push(key);
      ends.push(resolve);
    });
  const endFirst = async () => {
    ends.shift()?.();
    await new Promise(setImmediate);
  };
  return { log, step, endFirst };
}

test('a key that is woken while its step runs has one more step afterwards, however often it was woken', async () => {
  const { log, step, endFirst } = held();
  const boxes = new Mailboxes(step, { concurrency: 10, onError: failing });
  for (let n = 0; n < 5; n += 1) boxes.wake('a');
  expect(log).toEqual(['a']);
  await endFirst();
  expect(log).toEqual(['a', 'a']);
  await endFirst();
  expect(log).toEqual(['a', 'a']);
});

test('keys run side by side, up to the bound, and then in order of waking', async () => {
  const { log, step, endFirst } = held();
  const boxes = new Mailboxes(step, { concurrency: 2, onError: failing });
  for (const key of ['a', 'b', 'c', 'd']) boxes.wake(key);
  expect(log).toEqual(['a', 'b']);
  await endFirst();
  expect(log).toEqual(['a', 'b', 'c']);
  await endFirst();
  expect(log).toEqual(['a', 'b', 'c', 'd']);
});

test('a step that fails is reported and does not keep others from running', async () => {
  const errors: unknown[] = [];
  const log: string[] = [];
  const boxes = new Mailboxes(
    async (key) => {
      log.push(key);
      if (key === 'a') throw new Error('no');
    },
    { concurrency: 1, onError: (key) => errors.push(key) },
  );
  boxes.wake('a');
  boxes.wake('b');
  await new Promise(setImmediate);
  expect([log, errors]).toEqual([['a', 'b'], ['a']]);
});

test('a time that is set later takes the place of the one before; a wake does it now', async () => {
  let woken = 0;
  let done: () => void = () => {};
  const boxes = new Mailboxes(
    async () => {
      woken += 1;
      done();
    },
    { concurrency: 1, onError: failing },
  );
  const next = () =>
    new Promise<void>((resolve) => {
      done = resolve;
    });
  const first = next();
  boxes.wakeIn('a', 60_000);
  boxes.wakeIn('a', 5);
  await first;
  boxes.wakeIn('a', 60_000);
  boxes.wake('a');
  await new Promise(setImmediate);
  expect(woken).toBe(2);
});

test('stop waits for what runs and begins nothing more', async () => {
  const { log, step, endFirst } = held();
  const boxes = new Mailboxes(step, { concurrency: 1, onError: failing });
  boxes.wake('a');
  boxes.wake('b');
  let stopped = false;
  const stopping = boxes.stop().then(() => {
    stopped = true;
  });
  await new Promise(setImmediate);
  expect(stopped).toBe(false);
  await endFirst();
  await stopping;
  expect(log).toEqual(['a']);
});
