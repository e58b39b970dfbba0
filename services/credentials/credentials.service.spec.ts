import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, test } from '@jest/globals';
import type { Bus, ServiceEvent } from '../../shared/fanout/bus.ts';
import { memoryBus } from '../../shared/fanout/memory.bus.ts';
import { createBroker } from '../../shared/runtime/broker.ts';
import { loadConfig } from '../../shared/runtime/config.ts';
import { silentLog as log } from '../../shared/runtime/log.ts';
import type { Principal } from '../../shared/runtime/principal.ts';
import { processRegistry } from '../../shared/runtime/registry.ts';
import { keyringOf } from '../../shared/runtime/start.ts';
import { vault } from '../../shared/runtime/vault.ts';
import { change } from '../../shared/store/change.ts';
import type { Collection, Collections, Stored } from '../../shared/store/collection.ts';
import { openMemory } from '../../shared/store/file.collections.ts';
import { cleanUp } from '../../test/servers/clean-up.ts';
import { type Google, startGoogle } from '../../test/servers/google/google.ts';
import { eventually } from '../../test/system/clients/wait.ts';
import { startServices } from '../start.ts';
import { type Credentials, credentialsStore } from './credentials.store.ts';
import { sealedParts } from './keys.ts';

const principal: Principal = { kind: 'key', id: 'k', username: 'k', email: null, roles: ['admin', 'user'] };

let google: Google;
let stores: Collections;
let bus: Bus;
let credentials: Collection<Credentials>;
let ask: <T = Stored>(action: string, params: object) => Promise<T>;
const later = cleanUp();

/** The services of credentials and cameras in this process, before a Google of their own. */
beforeEach(async () => {
  google = await startGoogle({ limits: false });
  later(() => google.stop());
  stores = openMemory();
  bus = memoryBus();
  const config = loadConfig('all', { ...google.env, JWT_SECRET: 'a secret of these tests only' });
  const keys = [{ id: 'k', key: randomBytes(32) }];
  const deps = { config, log, stores, bus, keyring: keyringOf(config), registry: processRegistry(), announce() {} };
  const broker = createBroker({ role: 'test', log });
  const running = await startServices(['credentials', 'cameras'], broker, { ...deps, vault: vault(keys) });
  await broker.start();
  later(() => broker.stop());
  later(() => running.stop());
  ask = (action, params) => broker.call(action, params, { meta: { principal } });
  credentials = await credentialsStore(stores);
});

/** Credentials with whose grant Google was asked for devices. */
async function authorised(): Promise<string> {
  const { id } = await ask('credentials.create', { payload: google.credentials() });
  const update = { entity: id, payload: { origin: 'http://localhost' } };
  const { url } = await ask<{ url: string }>('credentials.update', update);
  const { state, code } = Object.fromEntries(new URL(await google.consent(url)).searchParams);
  await ask('google.authorize', { payload: { state, code } });
  return id;
}
const sync = (entity: string) => ask<object>('credentials.sync', { entity });
const remove = (entity: string) => ask('credentials.delete', { entity });
interface Camera extends Stored {
  uid: string;
  vanished_at: string | null;
}
const cameras = async () => (await ask<{ items: Camera[] }>('cameras.list', { payload: {} })).items;

describe('credentials that are deleted while their devices are listed', () => {
  beforeEach(() => void google.addDevice('wired-camera', { id: 'cam' }));

  test('leave no camera behind where the list comes afterwards', async () => {
    const id = await authorised();
    google.sdm.whileListing = () => remove(id);
    await expect(sync(id)).rejects.toMatchObject({ type: 'NOT_FOUND' });
    expect(await cameras()).toEqual([]);
    google.sdm.whileListing = () => undefined;
    await authorised();
    expect(await cameras()).toHaveLength(1);
  });

  test('leave none behind where the list comes just before', async () => {
    const id = await authorised();
    const deleteRecord = credentials.delete.bind(credentials);
    credentials.delete = async (...params) => {
      await sync(id);
      return deleteRecord(...params);
    };
    await remove(id);
    expect(await cameras()).toEqual([]);
  });
});

describe('a list in which something is no device as it should be', () => {
  test('switches no camera off, and those of devices that are gone nevertheless', async () => {
    const broken = google.addDevice('wired-camera', { id: 'broken' });
    const gone = google.addDevice('wired-camera', { id: 'gone' });
    const id = await authorised();
    google.device(broken).parentRelations = [{ parent: 'x', displayName: null as never }];
    google.removeDevice(gone);
    expect(await sync(id)).toMatchObject({ devices: 0, vanished: 1 });
    const vanished = (await cameras()).filter(({ vanished_at }) => vanished_at !== null);
    expect(vanished.map(({ uid }) => uid)).toEqual([gone]);
  });

  test('says nothing about what is gone where that has no name', async () => {
    const broken = google.addDevice('wired-camera', { id: 'broken' });
    google.addDevice('wired-camera', { id: 'sound' });
    const id = await authorised();
    google.device(broken).name += ' %';
    expect(await sync(id)).toMatchObject({ devices: 1, vanished: 0 });
  });
});

describe('the grant of credentials that are entered again', () => {
  let heard: ServiceEvent[];
  let id: string;
  beforeEach(async () => {
    id = await authorised();
    heard = [];
    await bus.follow({}, async ({ body }) => void heard.push(body));
  });

  const enter = (payload: object) => ask('credentials.update', { entity: id, payload });
  /** The first event, once it is heard. */
  const first = async (): Promise<ServiceEvent> => {
    const all = await eventually(
      async () => heard,
      (events) => events.length > 0,
      5_000,
    );
    return all[0] as ServiceEvent;
  };
  /** Events of credentials are told in order: nothing was told before what follows. */
  async function expectKept(): Promise<void> {
    google.oauth.expireAccessTokens();
    expect(await sync(id)).toMatchObject({ devices: 0 });
    expect((await first()).event).toBe('reauthenticated');
  }

  test('stays where the OAuth client is the same, with another secret or not', async () => {
    expect(await enter(google.credentials())).toMatchObject({ tokens: 'stored' });
    google.client.oauth_client_secret = 's3cret-new';
    expect(await enter(google.credentials())).toMatchObject({ tokens: 'stored' });
    await expectKept();
  });

  test.each([
    ['OAuth client', { oauth_client_id: 'another' }],
    ['project', { dac_project_id: 'another' }],
  ])('is dropped where it is another %s, and that is told', async (_what, payload) => {
    expect(await enter(payload)).toMatchObject({ tokens: null });
    expect(await first()).toMatchObject({
      event: 'unauthenticated',
      entity: id,
      details: { description: 'Home', error: expect.stringContaining('another OAuth client or project') },
    });
  });

  test('is dropped where no configured key opens it', async () => {
    const foreign = sealedParts(vault([{ id: 'lost', key: randomBytes(32) }]));
    const sealedTokens = foreign.sealTokens(id, { accessToken: 'a', refreshToken: 'r', scope: 's' });
    await change(credentials, id, () => ({ sealedTokens }));
    expect(await enter(google.credentials())).toMatchObject({ tokens: null });
    expect(await first()).toMatchObject({ event: 'unauthenticated', entity: id });
  });
});

test('devices that changed while they were being listed are listed again within seconds', async () => {
  const id = await authorised();
  const before = google.sdm.lists;
  google.sdm.whileListing = async () => {
    google.sdm.whileListing = () => undefined;
    // As where Google tells of a change.
    await change(credentials, id, () => ({ syncAt: new Date().toISOString() }));
  };
  await sync(id);
  const lists = await eventually(
    async () => google.sdm.lists - before,
    (count) => count === 2,
    6_000,
  );
  expect(lists).toBe(2);
});
