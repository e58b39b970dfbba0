import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { type Entry, onceFor, type Range } from './log.ts';
import { fanoutNames } from './names.ts';
import { type Sent, Unconfirmed } from './unconfirmed.ts';
import { encodeMessage, encodeValue } from './wire.ts';

const fanout = fanoutNames('t');
const names = fanout.of('/');
const subject = names.log('a');

/** A log in memory, with what its server may do to it. */
class Log {
  entries: Entry[] = [];
  sequence = 0;
  /** Appending fails, as where the stream has no leader. */
  headless = false;
  /** Appending waits. */
  gate: Promise<void> = Promise.resolve();
  elected = () => {};

  onElection(elected: () => void): () => void {
    this.elected = elected;
    return () => {};
  }

  store(to: string, data: Uint8Array): number {
    this.sequence += 1;
    this.entries.push({ sequence: this.sequence, subject: to, data });
    return this.sequence;
  }

  async append(to: string, data: Uint8Array): Promise<number> {
    await this.gate;
    if (this.headless) throw new Error('no responders');
    return this.store(to, data);
  }

  async first(): Promise<number> {
    return this.entries[0]?.sequence ?? this.sequence + 1;
  }

  async scan(subjects: string[], { from, to }: Range, each: (entry: Entry) => boolean): Promise<boolean> {
    for (const entry of this.entries) {
      if (entry.sequence < from || entry.sequence > to || !subjects.includes(entry.subject)) continue;
      if (!each(entry)) return false;
    }
    return true;
  }
}

let log: Log;
let link: { up: boolean; breaks: number };
let unconfirmed: Unconfirmed;
let doubts: number;

const data = (id: string) => encodeMessage({ id, rooms: [], except: [] }, encodeValue({}));
const packet = (id: string, once?: string): Sent => ({ id, subject, data: data(id), once });
const send = (id: string, isStored: boolean, once?: string) => {
  unconfirmed.sent(packet(id, once));
  if (isStored) log.store(subject, data(id));
};
const missing = async () => (await unconfirmed.missing()).map(({ id }) => id);

beforeEach(() => {
  jest.useFakeTimers();
  log = new Log();
  doubts = 0;
  link = { up: true, breaks: 0 };
  unconfirmed = new Unconfirmed({ link, log, fanout, names, author: 'me' });
  unconfirmed.doubted = () => {
    doubts += 1;
  };
});

afterEach(() => {
  unconfirmed.close();
  jest.useRealTimers();
});

test('what a checkpoint follows is kept until the next one', async () => {
  send('me1', true);
  await jest.advanceTimersByTimeAsync(1_000);
  send('me2', true);
  expect(unconfirmed.size).toBe(2);
  await jest.advanceTimersByTimeAsync(1_000);
  expect(unconfirmed.size).toBe(1);
  await jest.advanceTimersByTimeAsync(1_000);
  expect([unconfirmed.size, log.sequence]).toEqual([0, 5]);
  await jest.advanceTimersByTimeAsync(10_000);
  expect(log.sequence).toBe(5);
});

test('what was lost before a leader that is told of only after its first checkpoint is missing', async () => {
  send('me1', true);
  await jest.advanceTimersByTimeAsync(1_000);
  send('me2', false);
  send('me3', true);
  await jest.advanceTimersByTimeAsync(1_000);
  log.elected();
  expect(await missing()).toEqual(['me2']);
});

test('only what the log has not got is missing, in order, wherever it was', async () => {
  const stored = [true, false, true, false, false, true];
  for (const [n, isStored] of stored.entries()) send(`me${n}`, isStored);
  expect(await missing()).toEqual(['me1', 'me3', 'me4']);
});

test('what was sent again is kept until a checkpoint follows it', async () => {
  send('me1', false);
  expect(await missing()).toEqual(['me1']);
  expect(await missing()).toEqual(['me1']);
  log.store(subject, data('me1'));
  expect(await missing()).toEqual([]);
});

test('a checkpoint that was asked for before a break says nothing after it', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  log.gate = promise;
  send('me1', false);
  await jest.advanceTimersByTimeAsync(1_000);
  link.breaks += 1;
  resolve();
  await jest.advanceTimersByTimeAsync(0);
  expect(await missing()).toEqual(['me1']);
});

test('a checkpoint that was asked for before the log was read says nothing after it', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  log.gate = promise;
  send('me1', true);
  send('me2', false);
  await jest.advanceTimersByTimeAsync(1_000);
  log.gate = Promise.resolve();
  expect(await missing()).toEqual(['me2']);
  resolve();
  await jest.advanceTimersByTimeAsync(0);
  expect(unconfirmed.size).toBe(1);
});

test('nothing is asked while the link is down', async () => {
  send('me1', false);
  link.up = false;
  await jest.advanceTimersByTimeAsync(5_000);
  expect([log.sequence, doubts]).toEqual([0, 0]);
});

test('a checkpoint that is not stored is a doubt, where the link is up', async () => {
  log.headless = true;
  send('me1', false);
  await jest.advanceTimersByTimeAsync(1_000);
  expect([doubts, unconfirmed.size]).toEqual([1, 1]);
});

test('a new leader of the stream is a doubt', () => {
  log.elected();
  expect(doubts).toBe(1);
});

test('a checkpoint is not taken for a packet of the same name', async () => {
  // The first checkpoint is mec1.
  send('mec1', false);
  expect(await missing()).toEqual(['mec1']);
});

test('a log that was made anew is read from its beginning', async () => {
  for (let n = 0; n < 10; n += 1) send(`me${n}`, true);
  await jest.advanceTimersByTimeAsync(1_000);
  log.entries = [];
  log.sequence = 0;
  send('meA', true);
  send('meB', false);
  expect(await missing()).toEqual(['meB']);
});

test('what the log had and has lost since is not sent again', async () => {
  send('me', true);
  await jest.advanceTimersByTimeAsync(1_000);
  for (let n = 0; n < 10; n += 1) send(`me${n}`, true);
  await jest.advanceTimersByTimeAsync(1_000);
  log.entries = [];
  send('meA', true);
  send('meB', false);
  expect(await missing()).toEqual(['meB']);
});

test('what others tell too is not sent again once the log has forgotten its id', async () => {
  send('me1', false, 'event');
  send('me2', false);
  expect(await missing()).toEqual(['me1', 'me2']);
  jest.setSystemTime(Date.now() + onceFor + 1_000);
  expect(await missing()).toEqual(['me2']);
});

test('too much is forgotten, the oldest first', async () => {
  log.headless = true;
  for (let n = 0; n < 20_001; n += 1) send(`me${n}`, false);
  expect(unconfirmed.size).toBeGreaterThan(18_000);
  log.headless = false;
  const left = await missing();
  expect(left.length).toBeLessThanOrEqual(20_000);
  expect([left[0] === 'me0', left.at(-1)]).toEqual([false, 'me20000']);
});
