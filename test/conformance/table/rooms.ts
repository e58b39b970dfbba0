import { expect } from '@jest/globals';
import { bad, type Case, good, story } from '../case.ts';
import type { Asker, Stage } from '../stage.ts';
import { listCases } from './lists.ts';

const keys = ['createdAt', 'id', 'members', 'name', 'private', 'updatedAt'];
const ask = (command: string, entity: string, payload?: object) => ({
  module: 'rooms',
  command,
  entity,
  ...(payload && { payload }),
});
const create = (what: string, payload: object) =>
  bad('rooms.create', what, 'INVALID_REQUEST', 'user', () => ({ payload }));
const longName = (length: number) => (stage: Stage) => stage.unique('room').padEnd(length, 'x');

const goodCases: Case[] = [
  good(
    'rooms.create',
    'needs only a name',
    'user',
    (stage) => ({ payload: { name: stage.unique('room') } }),
    (room) => {
      expect(Object.keys(room).sort()).toEqual(keys);
      expect(room).toMatchObject({ private: false, members: [] });
    },
  ),
  good('rooms.create', 'with a name of 128 characters', 'user', (stage) => ({
    payload: { name: longName(128)(stage) },
  })),
  good('rooms.read', 'by its id', 'stranger', async (stage) => ({ entity: (await stage.room()).id })),
  good(
    'rooms.read',
    'by its name, whatever it holds',
    'stranger',
    async (stage) => {
      const name = `${stage.unique('a/b')} c?d#e%2F ü`;
      await stage.room({ name });
      return { entity: name };
    },
    (room) => expect(room.name).toMatch(/e%2F ü$/),
  ),
  good(
    'rooms.update',
    'by its maker',
    'user',
    async (stage) => {
      return { entity: (await stage.room()).id, payload: { name: stage.unique('renamed') } };
    },
    (room) => expect(room.name).toMatch(/^renamed/),
  ),
  good(
    'rooms.update',
    'by an administrator',
    'admin',
    async (stage) => {
      return { entity: (await stage.room()).id, payload: { private: true, members: [stage.people.stranger.id] } };
    },
    (room, { people }) => expect(room).toMatchObject({ private: true, members: [people.stranger.id] }),
  ),
  good('rooms.delete', 'by its maker', 'user', async (stage) => ({ entity: (await stage.room()).id })),
  good('rooms.join', 'makes a member', 'stranger', async (stage) => ({ entity: (await stage.room()).name as string })),
  good(
    'rooms.join',
    'of a name nobody made',
    'user',
    (stage) => ({ entity: stage.unique('nobody-made') }),
    async (result, stage) => {
      expect(await stage.code(ask('read', String(result.room)))).toBe('NOT_FOUND');
    },
  ),
  good('rooms.leave', 'of a room nobody is in', 'user', async (stage) => ({ entity: (await stage.room()).id })),
  good(
    'rooms.send',
    'stores any JSON',
    'user',
    async (stage) => ({
      entity: (await stage.room()).id,
      payload: { message: { text: 'hello', deep: [{ n: 1.5, ok: true, none: null }] } },
    }),
    (message, { people }) => {
      const { id, username } = people.user;
      expect(message).toMatchObject({
        from: { id, username },
        message: { text: 'hello', deep: [{ n: 1.5, ok: true, none: null }] },
      });
    },
  ),
  good(
    'rooms.history',
    'is oldest first',
    'user',
    async (stage) => {
      const { id } = await stage.room();
      for (const message of ['one', 'two', 'three']) await stage.ok(ask('send', id, { message }), 'user');
      return { entity: id, payload: { limit: 2 } };
    },
    (result) => {
      const items = result.items as { message: string }[];
      expect(items.map(({ message }) => message)).toEqual(['two', 'three']);
    },
  ),
];

const badCases: Case[] = [
  create('with a name of 129 characters', { name: 'r'.repeat(129) }),
  create('with an empty name', { name: '' }),
  create('with a control character in the name', { name: 'a\u001bb' }),
  create('with an owner', { name: 'mine', owner: 'x' }),
  bad('rooms.create', 'with a name that is taken', 'CONFLICT', 'stranger', async (stage) => {
    return { payload: { name: (await stage.room()).name } };
  }),
  bad('rooms.update', 'to a name that is taken', 'CONFLICT', 'user', async (stage) => {
    return { entity: (await stage.room()).id, payload: { name: (await stage.room()).name } };
  }),
  bad('rooms.create', "with another user's name for an audience", 'FORBIDDEN', 'admin', () => ({
    payload: { name: 'user:1' },
  })),
  bad('rooms.create', 'with a role for a name', 'FORBIDDEN', 'user', () => ({ payload: { name: 'admin' } })),
  bad('rooms.create', 'with the name of the own history', 'FORBIDDEN', 'admin', () => ({ payload: { name: 'me' } })),
  bad(
    'rooms.send',
    'with a key $set within the metadata',
    'INVALID_REQUEST',
    'user',
    async (stage) => {
      return { entity: (await stage.room()).id, payload: { message: 'a', metadata: { a: { $set: 1 } } } };
    },
    { names: '$set' },
  ),
  bad('rooms.join', 'of the audience of a user', 'FORBIDDEN', 'user', () => ({ entity: 'user:1' })),
  bad('rooms.join', 'of the audience of a role', 'FORBIDDEN', 'user', () => ({ entity: 'role:admin' })),
  bad('rooms.join', 'of a role one does not have', 'FORBIDDEN', 'user', () => ({ entity: 'admin' })),
  bad('rooms.join', 'of a name of 129 characters', 'INVALID_REQUEST', 'user', () => ({ entity: 'r'.repeat(129) })),
  bad('rooms.update', 'by a stranger', 'FORBIDDEN', 'stranger', async (stage) => {
    return { entity: (await stage.room()).id, payload: { name: stage.unique('mine-now') } };
  }),
  bad('rooms.delete', 'by a stranger', 'FORBIDDEN', 'stranger', async (stage) => ({ entity: (await stage.room()).id })),
  bad(
    'rooms.send',
    'with a key $set within the message',
    'INVALID_REQUEST',
    'user',
    async (stage) => {
      return { entity: (await stage.room()).id, payload: { message: { a: [{ $set: 1 }] } } };
    },
    { names: '$set' },
  ),
  bad(
    'rooms.send',
    'with a key __proto__ within the message',
    'INVALID_REQUEST',
    'user',
    async (stage) => {
      const message: unknown = JSON.parse('{"a":{"__proto__":{"admin":true}}}');
      return { entity: (await stage.room()).id, payload: { message } };
    },
    { names: '__proto__' },
  ),
  ...[0, 101, 1.5].map((limit) =>
    bad('rooms.history', `of ${limit} messages`, 'INVALID_REQUEST', 'user', async (stage) => ({
      entity: (await stage.room()).id,
      payload: { limit },
    })),
  ),
];

const privateStory = story('a private room is its members’, its maker’s and administrators’ only', async (stage) => {
  const member = await stage.person();
  const room = await stage.room({ private: true, members: [member.id] });
  const each = (as: Asker) =>
    Promise.all([
      stage.code(ask('read', room.id), as),
      stage.code(ask('read', String(room.name)), as),
      stage.code(ask('join', room.id), as),
      stage.code(ask('send', room.id, { message: 'hello' }), as),
      stage.code(ask('history', String(room.name), {}), as),
    ]);
  const listed = async (as: Asker) => {
    const payload = { search: room.name };
    return (await stage.ok<{ total: number }>({ module: 'rooms', command: 'list', payload }, as)).total;
  };
  expect(await each('stranger')).toEqual(Array(5).fill('FORBIDDEN'));
  expect(await listed('stranger')).toBe(0);
  for (const as of [member, 'user', 'admin'] as const) {
    expect(await each(as)).toEqual(Array(5).fill('OK'));
    expect(await listed(as)).toBe(1);
  }
});

const stories: Case[] = [
  privateStory,
  story('who joins is a member until leaving', async (stage) => {
    const { id } = await stage.room();
    const members = async () => (await stage.ok<{ members: string[] }>(ask('read', id), 'user')).members;
    await stage.ok(ask('join', id), 'stranger');
    await stage.ok(ask('join', id), 'stranger');
    expect(await members()).toEqual([stage.people.stranger.id]);
    await stage.ok(ask('leave', id), 'stranger');
    expect(await members()).toEqual([]);
  }),
  story('history goes back page by page', async (stage) => {
    const { id } = await stage.room();
    for (const message of [1, 2, 3, 4, 5]) await stage.ok(ask('send', id, { message }), 'user');
    type Page = { items: { id: string; message: number }[] };
    const last = await stage.ok<Page>(ask('history', id, { limit: 2 }), 'user');
    const before = await stage.ok<Page>(ask('history', id, { limit: 2, before: last.items[0]?.id }), 'user');
    expect([last, before].map(({ items }) => items.map(({ message }) => message))).toEqual([
      [4, 5],
      [2, 3],
    ]);
    const unknown = await stage.ok<Page>(ask('history', id, { before: 'no-such-message' }), 'user');
    expect(unknown.items).toEqual([]);
  }),
  story('what is sent to me is in the own history only, as it was said', async (stage) => {
    const [ann, bob] = [await stage.person(), await stage.person()];
    type Page = { items: object[] };
    const said = { message: { text: 'note' }, type: 'note', metadata: { colour: 'red', 'a.b': [1] } };
    const sent = await stage.ok(ask('send', 'me', said), ann);
    expect(sent).toMatchObject({ ...said, room: 'me', from: { id: ann.id } });
    expect(await stage.ok<Page>(ask('history', 'me', {}), ann)).toEqual({ items: [sent] });
    for (const other of [bob, 'admin'] as const) {
      const { items } = await stage.ok<Page>(ask('history', 'me', {}), other);
      expect(items).not.toContainEqual(sent);
      expect(await stage.code(ask('history', `user:${ann.id}`, {}), other)).toBe('FORBIDDEN');
    }
  }),
  story('a deleted room takes its history along', async (stage) => {
    const { id, name } = await stage.room();
    await stage.ok(ask('send', id, { message: 'gone' }), 'user');
    await stage.ok(ask('delete', id), 'user');
    const again = await stage.room({ name });
    expect(await stage.ok(ask('history', again.id, {}), 'user')).toEqual({ items: [] });
    expect(await stage.ok(ask('history', id, {}), 'user')).toEqual({ items: [] });
  }),
];

export const roomCases: Case[] = [
  ...listCases({
    module: 'rooms',
    as: 'user',
    key: 'name',
    other: 'createdAt',
    contains: true,
    make: (stage, name) => stage.room({ name }),
  }),
  ...goodCases,
  ...badCases,
  ...stories,
];
