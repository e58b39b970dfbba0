import { expect } from '@jest/globals';
import { bad, type Case, good, story } from '../case.ts';
import { type Stage, secret } from '../stage.ts';
import { listCases } from './lists.ts';

const keys = ['checksum', 'createdAt', 'description', 'id', 'tokens', 'updatedAt'];
const client = (stage: Stage) => ({
  description: stage.unique('home'),
  oauth_client_id: secret(),
  oauth_client_secret: secret(),
});
const create = (what: string, more: object) =>
  bad('credentials.create', what, 'INVALID_REQUEST', 'admin', (stage) => ({ payload: { ...client(stage), ...more } }));

export const credentialCases: Case[] = [
  ...listCases({
    module: 'credentials',
    as: 'admin',
    key: 'description',
    other: 'createdAt',
    contains: true,
    make: (stage, description) => stage.credentials({ description }),
  }),
  good(
    'credentials.create',
    'answers with a record',
    'admin',
    (stage) => {
      return { payload: { ...client(stage), dac_project_id: secret() } };
    },
    (record) => {
      expect(Object.keys(record).sort()).toEqual(keys);
      expect(record).toMatchObject({ tokens: null, checksum: expect.stringMatching(/^[0-9a-f]{64}$/) });
    },
  ),
  good(
    'credentials.read',
    'by an administrator',
    'admin',
    async (stage) => {
      return { entity: (await stage.credentials()).id };
    },
    (record) => expect(Object.keys(record).sort()).toEqual(keys),
  ),
  good(
    'credentials.update',
    'of the secret',
    'admin',
    async (stage) => {
      return {
        entity: (await stage.credentials()).id,
        payload: { oauth_client_secret: secret(), dac_project_id: secret() },
      };
    },
    (record) => expect(Object.keys(record).sort()).toEqual(keys),
  ),
  good(
    'credentials.delete',
    'takes them away',
    'admin',
    async (stage) => {
      return { entity: (await stage.credentials()).id };
    },
    (result) => expect(result).toBeNull(),
  ),
  create('with an empty description', { description: '' }),
  create('with a tab in the description', { description: 'a\tb' }),
  create('with a client id of 513 characters', { oauth_client_id: 'c'.repeat(513) }),
  create('with tokens', { tokens: 'x' }),
  bad('credentials.create', 'for a client that is there', 'CONFLICT', 'admin', async (stage) => {
    const oauth_client_id = secret();
    await stage.credentials({ oauth_client_id });
    return { payload: { ...client(stage), oauth_client_id } };
  }),
  bad('credentials.update', 'to a client that is there', 'CONFLICT', 'admin', async (stage) => {
    const oauth_client_id = secret();
    await stage.credentials({ oauth_client_id });
    return { entity: (await stage.credentials()).id, payload: { oauth_client_id } };
  }),
  bad('credentials.update', 'with an origin that is no URL', 'INVALID_REQUEST', 'admin', async (stage) => {
    return { entity: (await stage.credentials()).id, payload: { origin: 'somewhere' } };
  }),
  story('nobody finds credentials by a secret', async (stage) => {
    const [oauth_client_id, oauth_client_secret] = [secret(), secret()];
    await stage.credentials({ oauth_client_id, oauth_client_secret });
    for (const search of [oauth_client_id, oauth_client_secret]) {
      const ask = { module: 'credentials', command: 'list', payload: { search } };
      expect(await stage.ok(ask)).toMatchObject({ items: [], total: 0 });
    }
  }),
];
