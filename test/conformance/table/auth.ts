import { expect } from '@jest/globals';
import { httpClient, httpRequest } from '../../system/clients/http.client.ts';
import { eventually } from '../../system/clients/wait.ts';
import { bad, type Case, good, story } from '../case.ts';
import { type Person, type Stage, secret } from '../stage.ts';

/** A token that was revoked is refused everywhere within this many milliseconds. */
const revokedWithin = 2_000;

const whoAmI = { module: 'auth', command: 'read' } as const;
const login = (username: string, password: string) => ({
  module: 'auth',
  command: 'create',
  payload: { username, password },
});

async function endsWithin(stage: Stage, person: Person): Promise<void> {
  const code = () => stage.code(whoAmI, person);
  await eventually(code, (answer) => answer === 'UNAUTHORIZED', revokedWithin);
}

const loginCases: Case[] = [
  good(
    'auth.create',
    'gives a bearer',
    'user',
    (stage) => {
      const { username, password } = stage.people.stranger;
      return { payload: { username, password } };
    },
    async (result, stage) => {
      expect(result).toEqual({
        bearer: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
        expiration: expect.any(String),
        user: expect.objectContaining({ id: stage.people.stranger.id }),
      });
      expect(Date.parse(String(result.expiration))).toBeGreaterThan(Date.now());
      const me = await stage.ok(whoAmI, { token: String(result.bearer) });
      expect(me).toEqual(result.user);
    },
  ),
  story('nobody logs in with a wrong password, or learns whether the user is there', async (stage) => {
    const wrong = await stage.request(login(stage.people.user.username, secret()), 'user');
    const unknown = await stage.request(login(stage.unique('nobody'), secret()), 'user');
    expect(wrong).toEqual({ error: { code: 'UNAUTHORIZED', message: expect.any(String) } });
    expect(unknown).toEqual(wrong);
  }),
  story('logging in needs no token', async (stage) => {
    const { username, password } = stage.people.stranger;
    const code = await stage.code(login(username, password), 'nobody');
    expect(code).toBe(stage.protocol === 'socketio' ? 'UNAUTHORIZED' : 'OK');
  }),
  story('who may not log in does not', async (stage) => {
    const [username, password] = [stage.unique('barred'), secret()];
    await stage.create('users', { username, password, can_login: false });
    expect(await stage.code(login(username, password), 'user')).toBe('UNAUTHORIZED');
  }),
  bad('auth.create', 'with an object for a password', 'INVALID_REQUEST', 'user', (stage) => ({
    payload: { username: stage.people.user.username, password: { $gt: '' } },
  })),
  bad('auth.create', 'with an empty user name', 'INVALID_REQUEST', 'user', () => ({
    payload: { username: '', password: secret() },
  })),
  good(
    'auth.read',
    'says who asks',
    'user',
    () => ({}),
    (result, { people }) => {
      expect(result).toMatchObject({ id: people.user.id, username: people.user.username, roles: ['user'] });
    },
  ),
];

/** What ends the tokens of a user. */
const ends = (what: string, change: (stage: Stage, person: Person) => Promise<unknown>): Case =>
  story(`a token ends ${what}`, async (stage) => {
    const person = await stage.person(['admin', 'user']);
    expect(await stage.code(whoAmI, person)).toBe('OK');
    await change(stage, person);
    await endsWithin(stage, person);
  });
const update =
  (payload: object) =>
  (stage: Stage, { id }: Person) =>
    stage.ok({ module: 'users', command: 'update', entity: id, payload });

const revocationCases: Case[] = [
  {
    ...good('auth.delete', 'logs out', 'user', () => ({})),
    async run(stage) {
      const person = await stage.person();
      const second = { ...person, token: await stage.login(person.username, person.password) };
      const result = await stage.ok({ module: 'auth', command: 'delete' }, person);
      expect(result).toBeNull();
      await endsWithin(stage, person);
      await endsWithin(stage, second);
      const again = { ...person, token: await stage.login(person.username, person.password) };
      expect(await stage.code(whoAmI, again)).toBe('OK');
      return result;
    },
  },
  ends('with a new password', update({ password: secret() })),
  ends('when the right to log in is taken away', update({ can_login: false })),
  ends('when a role is taken away', update({ roles: ['user'] })),
  ends('with its user', (stage, { id }) => stage.ok({ module: 'users', command: 'delete', entity: id })),
  story('who changes the own password is answered and has to log in again', async (stage) => {
    const person = await stage.person();
    const password = secret();
    const ask = { module: 'users', command: 'update', entity: person.id, payload: { password } };
    expect(await stage.code(ask, person)).toBe('OK');
    await endsWithin(stage, person);
    expect(await stage.code(login(person.username, person.password), 'user')).toBe('UNAUTHORIZED');
    expect(await stage.code(whoAmI, { token: await stage.login(person.username, password) })).toBe('OK');
  }),
  story('a new name or email leaves the tokens of a user alone', async (stage) => {
    const person = await stage.person();
    await update({ username: stage.unique('renamed'), email: 'x@example.org' })(stage, person);
    expect(await stage.code(whoAmI, person)).toBe('OK');
  }),
  story('a role that is given counts at once', async (stage) => {
    const person = await stage.person();
    const list = { module: 'users', command: 'list' };
    expect(await stage.code(list, person)).toBe('FORBIDDEN');
    await update({ roles: ['admin', 'user'] })(stage, person);
    await eventually(
      () => stage.code(list, person),
      (code) => code === 'OK',
      revokedWithin,
    );
  }),
];

const keyCases: Case[] = [
  good(
    'api-keys.create',
    'shows the key',
    'admin',
    (stage) => ({ payload: { name: stage.unique('key') } }),
    (result) => {
      expect(result).toEqual({
        id: expect.any(String),
        createdAt: expect.any(String),
        updatedAt: expect.any(String),
        name: expect.any(String),
        roles: ['user'],
        requireSignature: false,
        key: expect.stringMatching(/^tg_[\w-]{43}$/),
      });
    },
  ),
  good<{ items: object[] }>(
    'api-keys.list',
    'shows no key',
    'admin',
    () => ({}),
    ({ items }) => {
      expect(Object.keys(items[0] ?? {}).sort()).toEqual([
        'createdAt',
        'id',
        'name',
        'requireSignature',
        'roles',
        'updatedAt',
      ]);
    },
  ),
  good(
    'api-keys.delete',
    'takes it away',
    'admin',
    async (stage) => {
      return { entity: (await stage.create('api-keys', { name: stage.unique('key') })).id };
    },
    (result) => expect(result).toBeNull(),
  ),
  bad('api-keys.create', 'with a name of 129 characters', 'INVALID_REQUEST', 'admin', () => ({
    payload: { name: 'k'.repeat(129) },
  })),
  story('a key acts with the roles it was given until it is deleted', async (stage) => {
    const url = stage.system.httpUrls.at(-1) as string;
    const code = async (key: string, module: string) => {
      const answer = await httpClient(url, key).request({ module, command: 'list' }, null);
      return 'ok' in answer ? 'OK' : answer.error.code;
    };
    const make = (roles: string[]) =>
      stage.ok<{ id: string; key: string }>({
        module: 'api-keys',
        command: 'create',
        payload: { name: stage.unique('key'), roles },
      });
    const [user, admin] = [await make(['user']), await make(['admin'])];
    expect([await code(user.key, 'cameras'), await code(user.key, 'users')]).toEqual(['OK', 'FORBIDDEN']);
    expect(await code(admin.key, 'users')).toBe('OK');
    for (const { id } of [user, admin]) await stage.ok({ module: 'api-keys', command: 'delete', entity: id });
    for (const { key } of [user, admin]) {
      await eventually(
        () => code(key, 'cameras'),
        (answer) => answer === 'INVALID_API_KEY',
        revokedWithin,
      );
    }
  }),
];

/** What only HTTP has. */
const httpCases: Case[] = [
  story(
    'a key nobody has is INVALID_API_KEY',
    async ({ system }) => {
      const reply = await httpRequest(`${system.httpUrls[0]}/api/cameras`, { headers: { 'x-api-key': 'tg_nobody' } });
      expect([reply.status, reply.body]).toEqual([401, expect.objectContaining({ code: 'INVALID_API_KEY' })]);
    },
    ['http'],
  ),
  story(
    'a key is no user',
    async (stage) => {
      expect(await stage.operatorCode(whoAmI)).toBe('FORBIDDEN');
    },
    ['http'],
  ),
];

export const authCases: Case[] = [...loginCases, ...revocationCases, ...keyCases, ...httpCases];
