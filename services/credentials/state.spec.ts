import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { memoryBus } from '../../shared/fanout/memory.bus.ts';
import { vault } from '../../shared/runtime/vault.ts';
import { redirectIn, redirectUriOf, states } from './state.ts';

const sealing = vault([{ id: 'k', key: randomBytes(32) }]);
const redirectUri = 'http://localhost:3000/credentials/authorize';
const state = { id: 'c1', redirectUri };
const refused = (text: string) =>
  expect.objectContaining({ type: 'INVALID_REQUEST', message: expect.stringContaining(text) });
afterEach(() => {
  jest.useRealTimers();
});

describe('the state of a link', () => {
  test('comes back once', async () => {
    const { make, use } = states(sealing, memoryBus());
    const text = make(state);
    expect(await use(text, 'http://localhost:3000')).toEqual(state);
    await expect(use(text)).rejects.toEqual(refused('used already'));
  });

  test('is used up whichever process it comes back to', async () => {
    const bus = memoryBus();
    const text = states(sealing, bus).make(state);
    const uses = await Promise.allSettled([1, 2, 3].map(() => states(sealing, bus).use(text)));
    expect(uses.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  test('ends after ten minutes', async () => {
    const { make, use } = states(sealing, memoryBus());
    const now = Date.now();
    const text = make(state);
    jest.useFakeTimers({ now: now + 600_100, doNotFake: ['nextTick', 'queueMicrotask', 'performance'] });
    await expect(use(text)).rejects.toEqual(refused('too old'));
  });

  test('belongs to one address, and a wrong one does not use it up', async () => {
    const { make, use } = states(sealing, memoryBus());
    const text = make(state);
    await expect(use(text, 'http://localhost:3001')).rejects.toEqual(refused('another address'));
    expect(await use(text)).toEqual(state);
  });

  test('of somebody else, or of another place, is none', async () => {
    const { use } = states(sealing, memoryBus());
    const foreign = states(vault([{ id: 'k', key: randomBytes(32) }]), memoryBus()).make(state);
    const tokens = sealing.seal(
      JSON.stringify({ ...state, nonce: 'n', expires: Date.now() + 1_000 }),
      'credentials/c1/x',
    );
    for (const text of [foreign, tokens, '', 'x', Buffer.from('{"id":1}').toString('base64')]) {
      await expect(use(text)).rejects.toEqual(refused('belongs to no link'));
    }
  });

  test('is refused where nobody knows whether it was used', async () => {
    const { make, use } = states(sealing, { claim: () => Promise.reject(new Error('down')) });
    await expect(use(make(state))).rejects.toMatchObject({ type: 'UNAVAILABLE' });
  });
});

test.each([
  ['https://a.example:2001/x?y', 'https://a.example:2001/credentials/authorize'],
  ['http://a.example', 'https://a.example/credentials/authorize'],
  ['http://192.168.1.5:3000', 'https://192.168.1.5:3000/credentials/authorize'],
  ['http://127.0.0.1:3000', 'http://127.0.0.1:3000/credentials/authorize'],
  ['http://[::1]:3000', 'http://[::1]:3000/credentials/authorize'],
])('from %s Google leads back to %s', (origin, expected) => {
  expect(redirectUriOf(origin)).toBe(expected);
});

describe('what a client of NestMTX sends', () => {
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64');
  const answer = { state: 's', code: 'c', origin: 'https://a.example' };

  test('is base64 of JSON, also where a plus became a space', () => {
    const text = encode({ ...answer, state: '>>>???\u00fb\u00ff~~~' });
    expect(text).toContain('+');
    expect(redirectIn(text.replaceAll('+', ' '))).toEqual({ ...answer, state: '>>>???\u00fb\u00ff~~~' });
    expect(redirectIn(encode({ ...answer, authuser: 0, prompt: 'consent', hd: 'x' }))).toEqual(answer);
  });

  test.each(['7c9e6679-7425-40de-944b-e07fc1f90ae7', '4711', 'no-such-id', '', encode(7), encode('x')])(
    'is not %j: that is an id',
    (text) => {
      expect(redirectIn(text)).toBeNull();
    },
  );

  test.each([{}, { state: 's' }, { ...answer, code: 7 }, { ...answer, origin: 'nowhere' }])(
    'may not be %j',
    (value) => {
      expect(() => redirectIn(encode(value))).toThrow(expect.objectContaining({ type: 'INVALID_REQUEST' }));
    },
  );
});
