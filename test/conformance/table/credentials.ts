import { expect } from '@jest/globals';
import { credentialsRecord } from '../../../shared/contracts/credentials.contract.ts';
import type { Google } from '../../servers/google/google.ts';
import { grantUrl } from '../../system/google.ts';
import { bad, type Case, good, story } from '../case.ts';
import { type Stage, secret } from '../stage.ts';
import { listCases } from './lists.ts';

const keys = Object.keys(credentialsRecord.shape).sort();
const client = (stage: Stage) => ({
  description: stage.unique('home'),
  oauth_client_id: secret(),
  oauth_client_secret: secret(),
});
/** Credentials that Google knows. */
async function known(stage: Stage) {
  const google = stage.google as Google;
  google.oauth.user = stage.unique('user');
  return { google, record: await stage.create('credentials', { ...client(stage), ...google.addClient() }) };
}
const comeBack = async (stage: Stage, google: Google, id: string) =>
  new URL(await google.consent(await grantUrl(stage, id)));
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
  good<{ url: string }>(
    'credentials.update',
    'with an origin answers where Google grants access',
    'admin',
    async (stage) => ({
      entity: (await known(stage)).record.id,
      payload: { origin: stage.system.httpUrls[0] },
    }),
    ({ url }, stage) => expect(url.startsWith(`${stage.google?.url}/partnerconnections/`)).toBe(true),
  ),
  good(
    'credentials.read',
    'of what Google answered finishes the authorisation',
    'admin',
    async (stage) => {
      const { google, record } = await known(stage);
      const back = await comeBack(stage, google, record.id);
      const answer = { ...Object.fromEntries(back.searchParams), origin: back.origin };
      return { entity: Buffer.from(JSON.stringify(answer)).toString('base64') };
    },
    (result) => expect(result).toEqual({ success: true }),
  ),
  good(
    'credentials.sync',
    'lists the devices that are shared now',
    'admin',
    async (stage) => {
      const { google, record } = await known(stage);
      expect((await fetch(await comeBack(stage, google, record.id))).status).toBe(200);
      return { entity: record.id };
    },
    (result) => expect(result).toEqual({ devices: 0, created: 0, updated: 0, vanished: 0 }),
  ),
  good(
    'credentials.rekey',
    'leaves alone what the first key sealed',
    'admin',
    async (stage) => {
      await stage.credentials();
      return { payload: { after: '' } };
    },
    (result) => expect(result).toMatchObject({ records: expect.any(Number), resealed: 0, unreadable: 0 }),
  ),
  good(
    'cronjobs.list',
    'names what can be started',
    'admin',
    () => ({ payload: { search: 'cloud' } }),
    (result) => expect(result).toMatchObject({ items: [{ name: 'SyncCloudCamerasJob' }], total: 1 }),
  ),
  good(
    'cronjobs.update',
    'lists the devices of all that is authorised',
    'admin',
    () => ({ entity: 'SyncCloudCamerasJob' }),
    (result) => expect(result).toEqual({}),
  ),
  bad('credentials.read', 'of an answer without a code', 'INVALID_REQUEST', 'admin', () => {
    return { entity: Buffer.from(JSON.stringify({ state: 'x' })).toString('base64') };
  }),
  bad('credentials.sync', 'that nobody authorised', 'CONFLICT', 'admin', async (stage) => {
    return { entity: (await stage.credentials()).id };
  }),
  create('with a subscription that is none', { pubsub_subscription: 'projects/p/topics/t' }),
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
