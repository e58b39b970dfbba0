import { beforeEach, describe, expect, test } from '@jest/globals';
import jwt from 'jsonwebtoken';
import { Failure } from '../../shared/contracts/index.ts';
import type { Bus } from '../../shared/fanout/bus.ts';
import { memoryBus } from '../../shared/fanout/memory.bus.ts';
import { keyring } from '../../shared/runtime/keyring.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import { type AuthenticatorDeps, createAuthenticator } from './authenticator.ts';

const secret = 'a secret of more than sixteen characters';
const token = (claims: object, expiresIn = 60) => jwt.sign(claims, secret, { expiresIn });
const unauthorized = expect.objectContaining({ type: 'UNAUTHORIZED' });
const ann = { id: 'ann', username: 'ann', email: null, roles: ['user'] as ('admin' | 'user')[], tokenVersion: 3 };

let bus: Bus;
let asked: string[];
/** A stand-in for the auth service: what it answers next. */
let answer: () => Promise<unknown>;

const authenticator = (config: Partial<AuthenticatorDeps['config']> = {}, checkEveryMs?: number) =>
  createAuthenticator({
    config: { authStrategy: 'jwt', authUsers: 'local', ...config } as AuthenticatorDeps['config'],
    keyring: keyring({ secret }),
    bus,
    log: silentLog,
    ...(checkEveryMs !== undefined && { checkEveryMs }),
    call: ((name: string, { entity }: { entity: string }) => {
      asked.push(`${name} ${entity}`);
      return answer();
    }) as never,
  });

beforeEach(() => {
  bus = memoryBus();
  asked = [];
  answer = async () => ann;
});

describe('a token of a user of ours', () => {
  test('is accepted with the current version, and the user is asked after once for many requests', async () => {
    const gate = await authenticator();
    const bearer = token({ sub: 'ann', tokenVersion: 3 });
    const principals = await Promise.all(Array.from({ length: 50 }, () => gate.bearer(bearer)));
    await gate.bearer(bearer);
    expect(principals[0]).toMatchObject({ kind: 'user', id: 'ann', roles: ['user'] });
    expect(asked).toEqual(['auth.session ann']);
  });

  test.each([
    ['an older version', { sub: 'ann', tokenVersion: 2 }],
    ['no version', { sub: 'ann' }],
    ['a version that is no number', { sub: 'ann', tokenVersion: '3' }],
    ['no user', { tokenVersion: 3 }],
  ])('is refused with %s', async (_what, claims) => {
    await expect((await authenticator()).bearer(token(claims))).rejects.toEqual(unauthorized);
  });

  test('is refused where the user is gone, and UNAVAILABLE where nobody can say', async () => {
    const gate = await authenticator();
    answer = () => Promise.reject(new Failure('NOT_FOUND'));
    await expect(gate.bearer(token({ sub: 'bob', tokenVersion: 1 }))).rejects.toEqual(unauthorized);
    answer = () => Promise.reject(new Failure('UNAVAILABLE'));
    await expect(gate.bearer(token({ sub: 'cid', tokenVersion: 1 }))).rejects.toMatchObject({ type: 'UNAVAILABLE' });
  });

  test('is refused from the moment of a change, and whoever holds a session is told', async () => {
    const gate = await authenticator();
    const revoked: string[] = [];
    gate.onRevoked((id) => revoked.push(id));
    const bearer = token({ sub: 'ann', tokenVersion: 3 });
    await gate.bearer(bearer);
    answer = async () => ({ ...ann, tokenVersion: 4 });
    const told = new Promise<void>((resolve) => gate.onRevoked(() => resolve()));
    bus.notify('users.changed', { id: 'ann', revoked: true });
    await told;
    expect(revoked).toEqual(['ann']);
    await expect(gate.bearer(bearer)).rejects.toEqual(unauthorized);
  });

  test('is refused where the user changed while it was asked about', async () => {
    const gate = await authenticator();
    let change = () => {};
    const changed = new Promise<void>((resolve) => {
      change = resolve;
    });
    answer = async () => {
      await changed;
      return ann;
    };
    const asking = gate.bearer(token({ sub: 'ann', tokenVersion: 3 }));
    await new Promise<void>((resolve) => {
      gate.onRevoked(() => resolve());
      bus.notify('users.changed', { id: 'ann', revoked: true });
    });
    answer = async () => ({ ...ann, tokenVersion: 4 });
    change();
    await expect(asking).rejects.toEqual(unauthorized);
    expect(asked).toHaveLength(2);
  });

  test('of an open session is checked again, though no notice told of a change', async () => {
    const gate = await authenticator({}, 20);
    const principal = await gate.bearer(token({ sub: 'ann', tokenVersion: 3 }));
    gate.holds(() => [principal]);
    const revoked = new Promise<string>((resolve) => gate.onRevoked(resolve));
    answer = async () => ({ users: [{ ...ann, tokenVersion: 4 }] });
    expect(await revoked).toBe('ann');
    expect(gate.wasRevoked(principal)).toBe(true);
  });

  test('of an open session whose user has another role is looked at again, though no notice told of the change', async () => {
    const gate = await authenticator({}, 20);
    const bearer = token({ sub: 'ann', tokenVersion: 3 });
    const principal = await gate.bearer(bearer);
    gate.holds(() => [principal]);
    const promoted = { ...ann, roles: ['admin', 'user'] };
    const changed = new Promise<string>((resolve) => gate.onChanged(resolve));
    answer = async () => ({ ...promoted, users: [promoted] });
    expect(await changed).toBe('ann');
    expect(await gate.bearer(bearer)).toMatchObject({ roles: ['admin', 'user'] });
  });

  test('is refused when it expires, though it was known', async () => {
    const gate = await authenticator();
    const bearer = token({ sub: 'ann', tokenVersion: 3 }, 1);
    await gate.bearer(bearer);
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    await expect(gate.bearer(bearer)).rejects.toEqual(unauthorized);
  });

  test('gets its roles from the user, not from the token', async () => {
    const principal = await (await authenticator()).bearer(token({ sub: 'ann', tokenVersion: 3, roles: ['admin'] }));
    expect(principal.roles).toEqual(['user']);
  });
});

describe('a token of somebody else’s users', () => {
  test('is enough by itself', async () => {
    const gate = await authenticator({ authUsers: 'external' });
    const claims = { userId: 'user-123', username: 'Ann', roles: ['admin', 'editor'] };
    expect(await gate.bearer(token(claims))).toMatchObject({
      id: 'user-123',
      username: 'Ann',
      roles: ['admin', 'user'],
    });
    expect(await gate.bearer(token({ userId: 7 }))).toMatchObject({ id: '7', roles: ['user'] });
    expect(asked).toEqual([]);
  });
});

describe('an API key', () => {
  const key = { id: 'k', name: 'robot', roles: ['user'], requireSignature: false };

  test('is asked after by its hash once, until it changes', async () => {
    const gate = await authenticator();
    answer = async () => key;
    expect(await gate.apiKey('tg_x')).toMatchObject({ kind: 'key', id: 'k', username: 'robot' });
    await gate.apiKey('tg_x');
    expect(asked).toHaveLength(1);
    expect(asked[0]).not.toContain('tg_x');
    const keyHash = asked[0]?.split(' ')[1];
    const heard = new Promise<void>((resolve) => void bus.listen('api-keys.changed', () => resolve()));
    bus.notify('api-keys.changed', { keyHash });
    await heard;
    answer = () => Promise.reject(new Failure('NOT_FOUND'));
    await expect(gate.apiKey('tg_x')).rejects.toMatchObject({ type: 'INVALID_API_KEY' });
  });
});

test('only the strategy none lets nobody in', async () => {
  expect((await authenticator()).nobody().kind).toBe('anonymous');
  expect((await authenticator({ authStrategy: 'none' })).nobody().roles).toContain('admin');
});
