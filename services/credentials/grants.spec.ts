import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, test } from '@jest/globals';
import type { Bus } from '../../shared/fanout/bus.ts';
import { memoryBus } from '../../shared/fanout/memory.bus.ts';
import { silentLog as log } from '../../shared/runtime/log.ts';
import { vault } from '../../shared/runtime/vault.ts';
import type { Collection } from '../../shared/store/collection.ts';
import { openMemory } from '../../shared/store/file.collections.ts';
import type { Emit } from '../deps.ts';
import { type Credentials, credentialsStore, noTokens } from './credentials.store.ts';
import { type Given, type OAuth, TokenError } from './google/oauth.ts';
import { type GrantDeps, grants } from './grants.ts';
import { sealedParts } from './keys.ts';

const keys = [{ id: 'k', key: randomBytes(32) }];
const parts = sealedParts(vault(keys));
const scope = 'sdm';
const iso = (ms: number) => new Date(Date.now() + ms).toISOString();
const tokens = (name: string) => ({ accessToken: `access ${name}`, refreshToken: `refresh ${name}`, scope });

let credentials: Collection<Credentials>;
let bus: Bus;
let told: string[];

beforeEach(async () => {
  credentials = await credentialsStore(openMemory());
  bus = memoryBus();
  told = [];
});

/** Stored credentials whose access token has ended. */
async function stored(): Promise<string> {
  const id = 'c1';
  await credentials.insert({
    id,
    description: 'Home',
    checksum: 'x',
    sealedClientId: parts.seal(id, 'sealedClientId', 'client'),
    sealedClientSecret: parts.seal(id, 'sealedClientSecret', 'secret'),
    sealedProjectId: parts.seal(id, 'sealedProjectId', 'project'),
    ...noTokens,
    sealedTokens: parts.sealTokens(id, tokens('old')),
    tokensExpireAt: iso(-1_000),
    refreshAt: iso(-1_000),
  });
  return id;
}

const held = async (id: string) => {
  const record = await credentials.get(id);
  return record && parts.tokens(record);
};
const store = async (id: string, patch: (record: Credentials) => Partial<Credentials>) => {
  const record = (await credentials.get(id)) as Credentials;
  await credentials.update(id, record.version, patch(record));
};

/** A process whose Google answers a renewal as given; how often it was asked. */
function process(refresh: (token: string) => Promise<Given>, more: Partial<GrantDeps> = {}) {
  let asked = 0;
  const oauth = {
    refresh: (_keys: unknown, token: string) => {
      asked += 1;
      return refresh(token);
    },
  } as unknown as OAuth;
  const emit = (async (domain: string, event: string) => void told.push(`${domain}.${event}`)) as unknown as Emit;
  return { ...grants({ credentials, parts, oauth, bus, emit, log, ...more }), asked: () => asked };
}
const given = (name: string, refreshToken: string | null = null): Given => ({
  accessToken: `access ${name}`,
  refreshToken,
  scope: null,
  lifetimeMs: 3_600_000,
});

test('a token that has ended is renewed before it is used, and the refresh token kept', async () => {
  const id = await stored();
  const { access } = process(async () => given('new'));
  expect(await access(id)).toEqual({ ok: true, token: 'access new', project: 'project', scope });
  expect(await held(id)).toEqual({ accessToken: 'access new', refreshToken: 'refresh old', scope });
  expect(told).toEqual(['credentials.reauthenticated']);
  expect(await credentials.get(id)).toMatchObject({ refreshFailures: 0 });
});

test('a new refresh token takes the place of the old one', async () => {
  const id = await stored();
  await process(async () => given('new', 'refresh new')).access(id);
  expect(await held(id)).toMatchObject({ refreshToken: 'refresh new' });
});

test('of processes that ask at once one renews, and all get its token', async () => {
  const id = await stored();
  const all = [1, 2, 3].map(() =>
    process(async () => {
      await new Promise((resolve) => setTimeout(resolve, 250));
      return given('new');
    }),
  );
  const answers = await Promise.all(all.flatMap(({ access }) => [access(id), access(id)]));
  expect(answers.map((one) => one.ok && one.token)).toEqual(Array(6).fill('access new'));
  expect(all.reduce((sum, { asked }) => sum + asked(), 0)).toBe(1);
});

describe('what was stored while Google was asked', () => {
  const consent = (id: string) =>
    store(id, () => ({ sealedTokens: parts.sealTokens(id, tokens('of a new consent')), tokensExpireAt: iso(60_000) }));

  test('is never replaced by an older grant', async () => {
    const id = await stored();
    const { access } = process(async () => {
      await consent(id);
      return given('late');
    });
    expect(await access(id)).toMatchObject({ token: 'access of a new consent' });
    expect(await held(id)).toEqual(tokens('of a new consent'));
  });

  test('is not dropped because the older grant has ended', async () => {
    const id = await stored();
    const { access } = process(async () => {
      await consent(id);
      throw new TokenError('invalid_grant', true);
    });
    expect(await access(id)).toMatchObject({ token: 'access of a new consent' });
    expect(told).toEqual([]);
  });

  test('does not hinder the new tokens where it is something else, or the same tokens sealed anew', async () => {
    const id = await stored();
    const { access } = process(async () => {
      await store(id, () => ({ description: 'Renamed' }));
      await store(id, (record) => ({ sealedTokens: parts.sealTokens(id, parts.tokens(record) as never) }));
      return given('new');
    });
    expect(await access(id)).toMatchObject({ token: 'access new' });
    expect(await credentials.get(id)).toMatchObject({ description: 'Renamed' });
  });

  test('may be nothing any more', async () => {
    const id = await stored();
    const { access } = process(async () => {
      await credentials.delete(id);
      return given('new');
    });
    expect(await access(id)).toMatchObject({ reason: 'unauthorized' });
  });
});

test('a grant that has ended is dropped and told of, once', async () => {
  const id = await stored();
  const { access, asked } = process(async () => Promise.reject(new TokenError('invalid_grant: revoked', true)));
  expect(await access(id)).toMatchObject({ ok: false, reason: 'unauthorized' });
  expect(await access(id)).toMatchObject({ ok: false, reason: 'unauthorized' });
  expect([asked(), told, await held(id)]).toEqual([1, ['credentials.unauthenticated'], null]);
});

test('any other failure keeps the tokens and rests all processes', async () => {
  const id = await stored();
  const fail = async () => Promise.reject(new TokenError('HTTP 503', false));
  const [first, second] = [process(fail), process(fail)];
  const refusal = await first.access(id);
  expect(refusal).toMatchObject({ ok: false, reason: 'unavailable', message: 'HTTP 503' });
  expect(refusal).toMatchObject({ retryAfterMs: expect.any(Number) });
  expect(await second.access(id)).toMatchObject({ ok: false, reason: 'unavailable' });
  expect([second.asked(), told, await held(id)]).toEqual([0, [], tokens('old')]);
  await store(id, () => ({ refreshAt: iso(-1) }));
  expect(await process(async () => given('new')).access(id)).toMatchObject({ token: 'access new' });
});

test('a token that Google refused is renewed, unless somebody did so already', async () => {
  const id = await stored();
  const first = process(async () => given('new'));
  const second = process(async () => given('newer'));
  expect(await first.renew(id, 'access old')).toMatchObject({ token: 'access new' });
  expect(await second.renew(id, 'access old')).toMatchObject({ token: 'access new' });
  expect(second.asked()).toBe(0);
  expect(await second.renew(id, 'access new')).toMatchObject({ token: 'access newer' });
});

test('where nobody can know who renews, nobody does', async () => {
  const id = await stored();
  const one = process(async () => given('new'), { bus: { claim: () => Promise.reject(new Error('down')) } });
  expect(await one.access(id)).toMatchObject({ reason: 'unavailable' });
  expect(one.asked()).toBe(0);
});

test('credentials that no configured key opens are as good as not authorised', async () => {
  const id = await stored();
  const foreign = sealedParts(vault([{ id: 'other', key: randomBytes(32) }]));
  const { access } = process(async () => given('new'), { parts: foreign });
  expect(await access(id)).toMatchObject({
    reason: 'unauthorized',
    message: expect.stringContaining('encryption keys'),
  });
});
