import { expect } from '@jest/globals';
import { bad, type Case, good, story } from '../case.ts';
import { type Person, type Stage, secret } from '../stage.ts';
import { listCases } from './lists.ts';

const keys = ['can_login', 'createdAt', 'email', 'id', 'roles', 'updatedAt', 'username'];
const create = (what: string, more: object) =>
  bad('users.create', what, 'INVALID_REQUEST', 'admin', (stage) => ({
    payload: { username: stage.unique('user'), password: secret(), ...more },
  }));
const own = (what: string, payload: (stage: Stage) => object) =>
  bad('users.update', `by a user of ${what}`, 'FORBIDDEN', 'user', (stage) => ({
    entity: stage.people.user.id,
    payload: payload(stage),
  }));
const change = (person: Person, payload: object, as: Person): Parameters<Stage['request']> => [
  { module: 'users', command: 'update', entity: person.id, payload },
  as,
];

const goodCases: Case[] = [
  good(
    'users.create',
    'fills in what was not said',
    'admin',
    (stage) => {
      return { payload: { username: stage.unique('user'), password: secret() } };
    },
    (user) => {
      expect(Object.keys(user).sort()).toEqual(keys);
      expect(user).toMatchObject({ email: null, roles: ['user'], can_login: true });
    },
  ),
  good(
    'users.create',
    'with everything',
    'admin',
    (stage) => ({
      payload: {
        username: stage.unique('üser 名'),
        password: secret(),
        email: 'someone@example.org',
        roles: ['admin', 'user'],
        can_login: false,
      },
    }),
    (user) => expect(user).toMatchObject({ email: 'someone@example.org', roles: ['admin', 'user'] }),
  ),
  good(
    'users.read',
    'by an administrator',
    'admin',
    (stage) => ({ entity: stage.people.user.id }),
    (user, stage) => {
      expect(Object.keys(user).sort()).toEqual(keys);
      expect(user.username).toBe(stage.people.user.username);
    },
  ),
  good('users.read', 'by the user', 'user', (stage) => ({ entity: stage.people.user.id })),
  good(
    'users.update',
    'of the own email',
    'user',
    (stage) => {
      return { entity: stage.people.user.id, payload: { email: 'me@example.org' } };
    },
    (user) => expect(user.email).toBe('me@example.org'),
  ),
  good(
    'users.update',
    'takes an email away',
    'user',
    (stage) => {
      return { entity: stage.people.user.id, payload: { email: null } };
    },
    (user) => expect(user.email).toBeNull(),
  ),
  good(
    'users.update',
    'by an administrator',
    'admin',
    async (stage) => ({
      entity: (await stage.person()).id,
      payload: { username: stage.unique('renamed') },
    }),
    (user) => expect(user.username).toMatch(/^renamed/),
  ),
  good(
    'users.delete',
    'takes the user away',
    'admin',
    async (stage) => {
      return { entity: (await stage.person()).id };
    },
    (result) => expect(result).toBeNull(),
  ),
];

const badCases: Case[] = [
  create('with a user name of two characters', { username: 'ab' }),
  create('with a user name of 256 characters', { username: 'u'.repeat(256) }),
  create('with a control character in the user name', { username: 'a\u0000bc' }),
  create('with a password of four characters', { password: 'abcd' }),
  create('with an email that is none', { email: 'nobody' }),
  create('without roles', { roles: [] }),
  create('with a role that is none', { roles: ['root'] }),
  create('with a token version', { tokenVersion: 9 }),
  create('with a hash', { passwordHash: 'x' }),
  bad('users.create', 'with a name that is taken', 'CONFLICT', 'admin', (stage) => ({
    payload: { username: stage.people.user.username, password: secret() },
  })),
  bad('users.update', 'to a name that is taken', 'CONFLICT', 'admin', async (stage) => ({
    entity: (await stage.person()).id,
    payload: { username: stage.people.user.username },
  })),
  bad('users.read', 'of somebody else by a user', 'FORBIDDEN', 'user', (stage) => ({ entity: stage.people.admin.id })),
  bad('users.read', 'of nobody by a user', 'FORBIDDEN', 'user', () => ({ entity: 'no-such-user' })),
  bad('users.update', 'of somebody else by a user', 'FORBIDDEN', 'user', (stage) => ({
    entity: stage.people.stranger.id,
    payload: { email: 'x@example.org' },
  })),
  own('the own name', (stage) => ({ username: stage.unique('renamed') })),
  own('the own roles', () => ({ roles: ['admin'] })),
  own('the own right to log in', () => ({ can_login: true })),
  own('the own email and roles', () => ({ email: 'x@example.org', roles: ['admin', 'user'] })),
  bad('users.update', 'of the own right to log in by an administrator', 'FORBIDDEN', 'admin', (stage) => ({
    entity: stage.people.admin.id,
    payload: { can_login: false },
  })),
  bad('users.delete', 'of oneself', 'FORBIDDEN', 'admin', (stage) => ({ entity: stage.people.admin.id })),
];

interface Listed {
  id: string;
  roles: string[];
}

async function administrators(stage: Stage): Promise<Listed[]> {
  const found: Listed[] = [];
  for (let page = 1; ; page += 1) {
    const ask = { module: 'users', command: 'list', payload: { itemsPerPage: 100, page } };
    const { items } = await stage.operator<{ items: Listed[] }>(ask);
    found.push(...items.filter(({ roles }) => roles.includes('admin')));
    if (items.length < 100) return found;
  }
}

/** Leaves only the two given as administrators while `run` runs; the others are made administrators again. */
async function withOnly(stage: Stage, two: readonly Person[], run: () => Promise<void>): Promise<void> {
  const others = (await administrators(stage)).filter(({ id }) => !two.some((one) => one.id === id));
  const give = (roles: string[]) => (one: { id: string }) =>
    stage.operator({ module: 'users', command: 'update', entity: one.id, payload: { roles } });
  await Promise.all(others.map(give(['user'])));
  try {
    await run();
  } finally {
    await Promise.all(others.map(give(['admin', 'user'])));
    await stage.relogin();
  }
}

const lastAdministrator: Case[] = [
  story('of the last two administrators who step down at once one stays', async (stage) => {
    const two = [await stage.person(['admin']), await stage.person(['admin'])] as const;
    await withOnly(stage, two, async () => {
      const codes = await Promise.all(two.map((one) => stage.code(...change(one, { roles: ['user'] }, one))));
      expect(codes.sort()).toEqual(['CONFLICT', 'OK']);
    });
  }),
  story('the last administrator cannot be deleted, disabled or stripped', async (stage) => {
    const [last, gone] = [await stage.person(['admin']), await stage.person(['admin'])] as const;
    await withOnly(stage, [last, gone], async () => {
      await stage.operator({ module: 'users', command: 'delete', entity: gone.id });
      const ask = (command: string, payload?: object) =>
        stage.operatorCode({ module: 'users', command, entity: last.id, ...(payload && { payload }) });
      expect(await ask('delete')).toBe('CONFLICT');
      expect(await ask('update', { can_login: false })).toBe('CONFLICT');
      expect(await ask('update', { roles: ['user'] })).toBe('CONFLICT');
      expect(await stage.code({ module: 'users', command: 'list' }, last)).toBe('OK');
    });
  }),
];

export const userCases: Case[] = [
  ...listCases({
    module: 'users',
    as: 'admin',
    key: 'username',
    other: 'createdAt',
    contains: false,
    make: (stage, username) => stage.create('users', { username, password: secret(), can_login: false }),
  }),
  ...goodCases,
  ...badCases,
  ...lastAdministrator,
];
