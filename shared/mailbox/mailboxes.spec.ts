import { expect, test } from '@jest/globals';
import { Dropped, Mailboxes } from './mailboxes.ts';

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
  const boxes = new Mailboxes(step, { concurrency: 10, aside: 2, onError: failing });
  for (let n = 0; n < 5; n += 1) boxes.wake('a');
  expect(log).toEqual(['a']);
  await endFirst();
  expect(log).toEqual(['a', 'a']);
  await endFirst();
  expect(log).toEqual(['a', 'a']);
});

test('keys run side by side, up to the bound, and then in order of waking', async () => {
  const { log, step, endFirst } = held();
  const boxes = new Mailboxes(step, { concurrency: 2, aside: 2, onError: failing });
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
    { concurrency: 1, aside: 2, onError: (key) => errors.push(key) },
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
    { concurrency: 1, aside: 2, onError: failing },
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

test('what a step does aside keeps its own key waiting and no other one, and is bounded by itself', async () => {
  const { log, step, endFirst } = held();
  const slow = held();
  const boxes: Mailboxes = new Mailboxes(
    async (key) => {
      if (key.startsWith('slow')) await boxes.aside(() => slow.step(key));
      await step(key);
    },
    { concurrency: 1, aside: 2, onError: failing },
  );
  for (const key of ['slow-1', 'slow-2', 'slow-3', 'slow-1', 'quick-1', 'quick-2']) boxes.wake(key);
  await new Promise(setImmediate);
  expect([slow.log, log]).toEqual([['slow-1', 'slow-2'], ['quick-1']]);
  // It goes on before what has not begun, and only then makes room.
  await slow.endFirst();
  expect([slow.log, log]).toEqual([['slow-1', 'slow-2', 'slow-3'], ['quick-1']]);
  await endFirst();
  expect(log).toEqual(['quick-1', 'slow-1']);
  await endFirst();
  expect(log).toEqual(['quick-1', 'slow-1', 'quick-2']);
});

test('what fails aside fails the step, and its place is free again', async () => {
  const errors: string[] = [];
  const log: string[] = [];
  const boxes: Mailboxes = new Mailboxes(
    async (key) => {
      if (key !== 'quick') await boxes.aside(() => Promise.reject(new Error('no')));
      log.push(key);
    },
    { concurrency: 1, aside: 1, onError: (key) => errors.push(key) },
  );
  for (const key of ['a', 'b', 'quick']) boxes.wake(key);
  await new Promise(setImmediate);
  expect([log, errors]).toEqual([['quick'], ['a', 'b']]);
});

test('stop waits for what runs and begins nothing more', async () => {
  const { log, step, endFirst } = held();
  const boxes = new Mailboxes(step, { concurrency: 1, aside: 2, onError: failing });
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

/** Mailboxes of steps that do something slow aside; `began` are those for which it was begun. */
function slowly(mayBegin: (key: string) => boolean = () => true) {
  const slow = held();
  const errors: [string, unknown][] = [];
  const boxes: Mailboxes = new Mailboxes(
    (key) => boxes.aside(() => slow.step(key), { isUrgent: key.startsWith('urgent'), mayBegin: () => mayBegin(key) }),
    { concurrency: 8, aside: 1, onError: (key, error) => errors.push([key, error]) },
  );
  const wake = async (...keys: string[]) => {
    for (const key of keys) boxes.wake(key);
    await new Promise(setImmediate);
  };
  return { boxes, wake, began: slow.log, endFirst: slow.endFirst, errors };
}

test('what is urgent is done aside before what is not and waits as well', async () => {
  const { wake, began, endFirst } = slowly();
  await wake('a', 'b', 'c', 'urgent-1', 'urgent-2');
  for (let n = 0; n < 4; n += 1) await endFirst();
  expect(began).toEqual(['a', 'urgent-1', 'urgent-2', 'b', 'c']);
});

test('what may not begin any more when its turn comes is dropped, and the next one begins', async () => {
  const lost = new Set<string>();
  const { wake, began, endFirst, errors } = slowly((key) => !lost.has(key));
  await wake('a', 'b', 'c');
  lost.add('b');
  await endFirst();
  expect(began).toEqual(['a', 'c']);
  expect(errors).toEqual([['b', expect.any(Dropped)]]);
});

test('stop waits for what is being done aside, but begins nothing of what waits for it', async () => {
  const { boxes, wake, began, endFirst, errors } = slowly();
  await wake('a', 'b', 'c');
  const stopping = boxes.stop();
  await new Promise(setImmediate);
  expect(errors.map(([key]) => key)).toEqual(['b', 'c']);
  await endFirst();
  await stopping;
  expect(began).toEqual(['a']);
  await expect(boxes.aside(async () => 'late')).rejects.toBeInstanceOf(Dropped);
});
