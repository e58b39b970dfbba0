import { expect } from '@jest/globals';
import { bad, type Case, good } from '../case.ts';
import { examples } from './examples.ts';

const user = { id: expect.any(String), username: expect.any(String) };

/** An observer is connected over Socket.IO for the whole run, so that somebody is online on every protocol. */
export const presenceCases: Case[] = [
  good<{ items: object[]; total: number }>(
    'presence.list',
    'names who is online',
    'user',
    () => ({}),
    (page) => {
      expect(page.total).toBeGreaterThan(0);
      expect(page.items[0]).toEqual({ ...user, email: null, sessions: expect.any(Number) });
    },
  ),
  good(
    'presence.read',
    'of somebody who is not online',
    'user',
    () => ({ entity: 'no-such-user' }),
    (result) => {
      expect(result).toEqual({ id: 'no-such-user', online: false, sessions: [] });
    },
  ),
  bad('presence.list', 'by a key that is not sortable', 'INVALID_REQUEST', 'user', () => ({
    payload: { sortBy: [{ key: 'email' }] },
  })),
  bad('presence.list', 'with 101 items per page', 'INVALID_REQUEST', 'user', () => ({
    payload: { itemsPerPage: 101 },
  })),
];

/** Until a media server is connected. */
const withoutServer: Case[] = ['list', 'read', 'create', 'delete'].map((command) =>
  bad(`streams.${command}`, 'where there is no media server', 'UNAVAILABLE', 'user', (stage) => {
    const example = examples[`streams.${command}`];
    if (!example) throw new Error(`no example of streams.${command}`);
    return example(stage);
  }),
);

export const streamCases: Case[] = [
  ...withoutServer,
  good(
    'streams.rekey',
    'leaves alone what the first key sealed',
    'admin',
    () => ({}),
    (result) => expect(result).toMatchObject({ records: expect.any(Number), resealed: 0, unreadable: 0 }),
  ),
];
