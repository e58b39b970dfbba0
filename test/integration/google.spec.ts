import { randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { MongoClient } from 'mongodb';
import { Stage } from '../conformance/stage.ts';
import { cleanUp } from '../servers/clean-up.ts';
import { type Google, startGoogle } from '../servers/google/google.ts';
import { pubsubScope, sdmScope } from '../servers/google/oauth.ts';
import { httpRequest } from '../system/clients/http.client.ts';
import { eventually } from '../system/clients/wait.ts';
import { authorize, authorized, camerasOf, grantUrl, heardEvent, hearing, sync } from '../system/google.ts';
import type { System } from '../system/system.ts';
import { systems } from './seeds/systems.ts';

/** All that the services stored, as text. */
async function storedText({ env }: System): Promise<string> {
  if (env.MONGODB_URL === undefined) {
    const names = (await readdir(env.DATA_DIR as string)).filter((name) => name.endsWith('.db'));
    return (await Promise.all(names.map((name) => readFile(join(env.DATA_DIR as string, name), 'utf8')))).join();
  }
  const client = await MongoClient.connect(env.MONGODB_URL);
  try {
    const names = (await client.db().listCollections().toArray()).map(({ name }) => name);
    const all = names.map((name) => client.db().collection(name).find().toArray());
    return JSON.stringify(await Promise.all(all));
  } finally {
    await client.close();
  }
}

const picture = Buffer.from('not really a JPEG, but bytes of one\u00ff');

describe.each(systems)('Google Device Access with %s', (_name, start) => {
  let google: Google;
  let system: System;
  let stage: Stage;
  const later = cleanUp();

  beforeAll(async () => {
    google = await startGoogle({ ackDeadlineMs: 1_500 });
    system = await start(google.env);
    stage = await Stage.open('http', system);
  }, 60_000);
  beforeEach(() => {
    // Google counts what each user asks for.
    google.oauth.user = randomUUID();
  });
  afterAll(async () => {
    await stage?.close();
    await system?.stop();
    await google?.stop();
  }, 30_000);
  afterEach(async () => {
    google.offline(false);
    google.oauth.denies = false;
    google.oauth.failing = 0;
    google.sdm.devices.clear();
  });

  const remove = (id: string) => stage.operator({ module: 'credentials', command: 'delete', entity: id });
  async function owned(more: object = {}) {
    const record = await authorized(stage, google, more);
    later(() => remove(record.id));
    return record;
  }
  async function unauthorised(more: object = {}) {
    const record = await stage.create('credentials', google.credentials(more));
    later(() => remove(record.id));
    return record;
  }
  const read = (entity: string) => stage.operator({ module: 'credentials', command: 'read', entity });
  async function listen(domain: string) {
    const { heard, socket } = await hearing(stage, domain);
    later(() => socket.disconnect());
    return heard;
  }

  test('a user grants access at Google, and the cameras are there', async () => {
    const door = google.addDevice('legacy-doorbell', { id: 'door', room: 'Hall', customName: 'Front door' });
    google.addDevice('wired-camera', { id: 'cam', room: 'Garden' });
    google.addDevice('thermostat', { id: 'heat' });
    const heard = await listen('credentials');
    const { id } = await unauthorised();
    const url = new URL(await grantUrl(stage, id));
    expect(url.pathname).toBe(`/partnerconnections/${google.client.dac_project_id}/auth`);
    expect(Object.fromEntries(url.searchParams)).toMatchObject({
      access_type: 'offline',
      prompt: 'consent',
      response_type: 'code',
      client_id: google.client.oauth_client_id,
      redirect_uri: `${system.httpUrls[0]}/credentials/authorize`,
      scope: sdmScope,
    });
    const page = await fetch(await google.consent(url.href));
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect(await page.text()).toContain('Google granted access');
    expect(await read(id)).toMatchObject({ tokens: 'stored' });
    expect(await heardEvent(heard, 'authenticated')).toMatchObject({ entity: id, details: { description: 'Home' } });
    const cameras = await camerasOf(stage, id);
    expect([...cameras.keys()].sort()).toEqual(['cam', 'door']);
    expect(cameras.get('door')).toMatchObject({
      uid: door,
      name: 'Front door',
      room: 'Hall',
      info: { name: door, type: 'sdm.devices.types.DOORBELL' },
      source: null,
      mtx_path: null,
      is_enabled: false,
      status: 'unconfigured',
      identified_as: ['Nest Doorbell (legacy)'],
      protocols: 'RTSP',
      resolution: '640x480',
      codecs_video: 'H264',
      codecs_audio: 'AAC',
      vanished_at: null,
    });
    expect(cameras.get('cam')).toMatchObject({ name: 'Garden Camera', protocols: 'WEB_RTC', resolution: '1920x1080' });
  });

  test('whoever granted access is led to where they change what is shared', async () => {
    const { id } = await owned();
    expect(await grantUrl(stage, id)).toBe(`${google.url}/partnerconnections/${google.client.dac_project_id}`);
  });

  test('a client of NestMTX brings what Google answered itself', async () => {
    const { id } = await unauthorised();
    const back = new URL(await google.consent(await grantUrl(stage, id, 'http://127.0.0.1:2000')));
    const ask = (more: object) => {
      const json = JSON.stringify({ ...Object.fromEntries(back.searchParams), authuser: 0, ...more });
      const headers = { 'x-api-key': system.apiKey };
      return httpRequest(`${system.httpUrls[0]}/api/credentials/${Buffer.from(json).toString('base64')}`, { headers });
    };
    expect(await ask({ origin: 'http://127.0.0.1:2001' })).toMatchObject({ status: 400 });
    // A text whose base64 has every character that a path takes badly.
    const origin = 'http://127.0.0.1:2000';
    const answer = await ask({ origin, more: '\u00ff\u00fe???>>>~~~\u00bf\u00bf' });
    expect(answer).toMatchObject({ status: 200, body: { success: true } });
    expect(await read(id)).toMatchObject({ tokens: 'stored' });
    expect(await ask({ origin })).toMatchObject({
      status: 400,
      body: { error: expect.stringContaining('used already') },
    });
  });

  test('an answer of Google counts once', async () => {
    const { id } = await unauthorised();
    const back = await google.consent(await grantUrl(stage, id));
    const answers = await Promise.all([fetch(back), fetch(back), fetch(back)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 400, 400]);
    const refused = answers.find(({ status }) => status === 400) as Response;
    expect(await refused.text()).toContain('used already');
  });

  test('an answer that belongs to no link of ours changes nothing', async () => {
    const { id } = await unauthorised();
    const back = new URL(await google.consent(await grantUrl(stage, id)));
    const state = back.searchParams.get('state') as string;
    back.searchParams.set('state', state.slice(0, -2) + (state.endsWith('AA') ? 'BB' : 'AA'));
    const forged = await fetch(back);
    expect([forged.status, forged.headers.get('content-type')]).toEqual([400, 'text/html; charset=utf-8']);
    expect(await forged.text()).toContain('belongs to no link');
    for (const query of ['', '?code=x', '?state=x', `?state=${state}`]) {
      expect((await fetch(`${system.httpUrls[0]}/credentials/authorize${query}`)).status).toBe(400);
    }
    expect(await read(id)).toMatchObject({ tokens: null });
  });

  test('a link preview does not use a link up', async () => {
    const { id } = await unauthorised();
    const back = await google.consent(await grantUrl(stage, id));
    expect((await fetch(back, { method: 'HEAD' })).status).toBe(404);
    expect((await fetch(back)).status).toBe(200);
  });

  test('who refuses at Google is told so, without markup of theirs', async () => {
    const { id } = await unauthorised();
    google.oauth.denies = true;
    const page = await authorize(stage, google, id);
    expect([page.status, await page.text()]).toEqual([400, expect.stringContaining('access_denied')]);
    const injected = await fetch(`${system.httpUrls[0]}/credentials/authorize?error=${encodeURIComponent('<b>x</b>')}`);
    expect(await injected.text()).toContain('&lt;b&gt;x&lt;/b&gt;');
  });

  test('while Google gives no tokens nothing is stored', async () => {
    const { id } = await unauthorised();
    google.oauth.failing = 1;
    expect((await authorize(stage, google, id)).status).toBe(503);
    expect(await read(id)).toMatchObject({ tokens: null });
    expect((await authorize(stage, google, id)).status).toBe(200);
  });

  test('credentials without a project cannot be authorised yet', async () => {
    const { id } = await unauthorised({ dac_project_id: null });
    const ask = { module: 'credentials', command: 'update', entity: id, payload: { origin: 'http://localhost' } };
    expect(await stage.operatorCode(ask)).toBe('CONFLICT');
    expect(await stage.operatorCode({ module: 'credentials', command: 'sync', entity: id })).toBe('CONFLICT');
  });

  test('over plain HTTP Google sends people back to their own machine only', async () => {
    const { id } = await unauthorised();
    const redirect = async (origin: string) =>
      new URL(await grantUrl(stage, id, origin)).searchParams.get('redirect_uri');
    expect(await redirect('http://trigate.example:2000/x')).toBe('https://trigate.example:2000/credentials/authorize');
    expect(await redirect('http://localhost:3000')).toBe('http://localhost:3000/credentials/authorize');
  });

  test('the cameras follow the devices, and keep what was set here', async () => {
    google.addDevice('wired-camera', { id: 'stays', room: 'Hall' });
    const leaving = google.addDevice('legacy-camera', { id: 'leaves', room: 'Attic' });
    const { id } = await owned();
    const before = await camerasOf(stage, id);
    const kept = before.get('leaves');
    const payload = { mtx_path: stage.path(), is_enabled: true, name: 'My own name' };
    await stage.operator({ module: 'cameras', command: 'update', entity: String(kept?.id), payload });
    expect(await sync(stage, id)).toEqual({ devices: 2, created: 0, updated: 0, vanished: 0 });

    const gone = google.sdm.devices.get(leaving);
    google.removeDevice(leaving);
    google.addDevice('hub', { id: 'new', room: 'Kitchen' });
    google.device(`enterprises/${google.client.dac_project_id}/devices/stays`).traits['sdm.devices.traits.Info'] = {
      customName: 'Renamed',
    };
    expect(await sync(stage, id)).toEqual({ devices: 2, created: 1, updated: 1, vanished: 1 });
    const after = await camerasOf(stage, id);
    expect(after.get('stays')).toMatchObject({ id: before.get('stays')?.id, name: 'Renamed', room: 'Hall' });
    expect(after.get('new')).toMatchObject({ name: 'Kitchen Display', identified_as: ['Nest Hub Max'] });
    expect(after.get('leaves')).toMatchObject({ id: kept?.id, ...payload, vanished_at: expect.any(String) });

    if (gone) google.sdm.devices.set(leaving, gone);
    expect(await sync(stage, id)).toEqual({ devices: 3, created: 0, updated: 1, vanished: 0 });
    expect((await camerasOf(stage, id)).get('leaves')).toMatchObject({ id: kept?.id, ...payload, vanished_at: null });
  });

  test('nothing that is secret lies readable in the store', async () => {
    const device = google.addDevice('wired-camera', { id: 'cam' });
    await owned();
    google.oauth.expireAccessTokens();
    const text = await storedText(system);
    expect(text).toContain('Porch Camera');
    const secrets = [device, 's3cret-', google.client.oauth_client_id, google.client.dac_project_id];
    const found = secrets.map((secret) => text.indexOf(secret)).filter((index) => index !== -1);
    expect(found.map((index) => text.slice(Math.max(0, index - 100), index + 20))).toEqual([]);
  });

  test('another project, or another OAuth client, needs a grant of its own', async () => {
    const { id } = await owned();
    const update = (payload: object) =>
      stage.operator({ module: 'credentials', command: 'update', entity: id, payload });
    const { dac_project_id } = google.client;
    expect(await update({ description: 'Still home', dac_project_id })).toMatchObject({ tokens: 'stored' });
    expect(await update({ dac_project_id: 'another' })).toMatchObject({ tokens: null });
    expect(await grantUrl(stage, id)).toContain('/partnerconnections/another/auth');
  });

  test('a camera of Google takes no source of its own', async () => {
    google.addDevice('wired-camera', { id: 'cam' });
    const { id } = await owned();
    const entity = String((await camerasOf(stage, id)).get('cam')?.id);
    const update = (payload: object) => stage.operatorCode({ module: 'cameras', command: 'update', entity, payload });
    expect(await update({ source: 'rtsp://10.0.0.1/stream' })).toBe('INVALID_REQUEST');
    expect(await update({ mtx_path: stage.path(), is_enabled: true })).toBe('OK');
  });

  test('every page of a list is read, and no device at all is an answer', async () => {
    google.sdm.pageSize = 60;
    for (let n = 0; n < 130; n += 1) google.addDevice('wired-camera', { id: `d${n}` });
    const { id } = await owned();
    expect((await stage.operator<{ total: number }>({ module: 'cameras', command: 'list' })).total).toBe(130);
    google.sdm.devices.clear();
    google.sdm.pageSize = 100;
    expect(await sync(stage, id)).toMatchObject({ devices: 0, vanished: 130 });
  });

  test('a list that fails leaves the cameras alone', async () => {
    google.addDevice('wired-camera', { id: 'cam' });
    const { id } = await owned();
    google.failNext('list', 1);
    const ask = { module: 'credentials', command: 'sync', entity: id };
    expect(await stage.operatorCode(ask)).toBe('UNAVAILABLE');
    google.offline(true);
    expect(await stage.operatorCode(ask)).toBe('UNAVAILABLE');
    google.offline(false);
    expect((await camerasOf(stage, id)).get('cam')).toMatchObject({ vanished_at: null });
  });

  test('an access token that Google refuses is renewed, and the list asked for again', async () => {
    const heard = await listen('credentials');
    const { id } = await owned();
    google.oauth.expireAccessTokens();
    google.addDevice('wired-camera', { id: 'cam' });
    expect(await sync(stage, id)).toMatchObject({ devices: 1, created: 1 });
    expect(await heardEvent(heard, 'reauthenticated')).toMatchObject({ entity: id });
  });

  test('a grant that was revoked is told of, and the tokens are gone', async () => {
    const heard = await listen('credentials');
    const { id } = await owned();
    google.oauth.revoke(google.oauth.user);
    expect(await stage.operatorCode({ module: 'credentials', command: 'sync', entity: id })).toBe('CONFLICT');
    const event = await heardEvent(heard, 'unauthenticated');
    expect(event).toMatchObject({ entity: id, details: { error: expect.stringContaining('invalid_grant') } });
    expect(await read(id)).toMatchObject({ tokens: null });
    expect((await authorize(stage, google, id)).status).toBe(200);
  });

  test('while the token endpoint is down the tokens are kept', async () => {
    const { id } = await owned();
    google.oauth.expireAccessTokens();
    google.oauth.failing = 1;
    const ask = { module: 'credentials', command: 'sync', entity: id };
    expect(await stage.operatorCode(ask)).toBe('UNAVAILABLE');
    expect(await read(id)).toMatchObject({ tokens: 'stored' });
    // The next attempt comes of itself, some seconds later.
    await eventually(
      async () => google.oauth.failing,
      (left) => left === 0,
      5_000,
    );
    const code = await eventually(
      () => stage.operatorCode(ask),
      (one) => one === 'OK',
      15_000,
    );
    expect(code).toBe('OK');
  });

  test('an event of a camera is heard once, with its picture, and acknowledged', async () => {
    const camera = google.addDevice('legacy-camera', { id: 'cam', customName: 'Porch' });
    const heard = await listen('camera');
    const { id } = await owned({ pubsub_subscription: google.subscription });
    const own = (await camerasOf(stage, id)).get('cam');
    google.pubsub.forgetting = 1;
    const before = google.pubsub.deliveries;
    google.publish(camera, 'person', { sessionId: 's1', jpeg: picture });
    expect(await heardEvent(heard, 'person', 15_000)).toMatchObject({
      entity: own?.id,
      details: { name: 'Porch', sessionId: 's1', image: picture.toString('base64') },
    });
    // Its acknowledgement was forgotten: it comes again, and is passed on no second time.
    await eventually(
      async () => google.pubsub.unacknowledged,
      (left) => left === 0,
      15_000,
    );
    expect(google.pubsub.deliveries - before).toBe(2);
    google.publish(camera, 'sound', { sessionId: 's2' });
    expect(await heardEvent(heard, 'sound', 15_000)).toMatchObject({ details: { sessionId: 's2', image: null } });
    expect(heard.filter(({ event }) => event === 'person')).toHaveLength(1);
  });

  test('credentials that share a subscription hear of their own cameras, whoever pulled', async () => {
    const heard = await listen('camera');
    const pubsub_subscription = google.subscription;
    await owned({ pubsub_subscription });
    google.oauth.user = randomUUID();
    const client = google.addClient();
    const camera = google.addDevice('wired-camera', { id: 'theirs', project: client.dac_project_id });
    const { id } = await owned({ ...client, pubsub_subscription });
    const entity = (await camerasOf(stage, id)).get('theirs')?.id;
    for (let n = 0; n < 6; n += 1) google.publish(camera, 'motion', { sessionId: `shared ${n}` });
    await eventually(
      async () => heard.filter(({ details }) => String(details.sessionId).startsWith('shared')),
      (events) => events.length === 6 && events.every((event) => event.entity === entity),
      20_000,
    );
  });

  test('what is no event of a camera of ours is acknowledged and left alone', async () => {
    const { id } = await owned({ pubsub_subscription: google.subscription });
    const stranger = google.addDevice('wired-camera', { id: 'stranger' });
    google.publish(stranger, 'motion');
    google.pubsub.addRaw('not base64 of JSON');
    google.pubsub.add({ eventId: 'x', timestamp: 'yesterday' });
    await eventually(
      async () => google.pubsub.unacknowledged,
      (left) => left === 0,
      15_000,
    );
    expect((await camerasOf(stage, id)).size).toBe(0);
  });

  test('a device that is added is there as soon as Google tells of it', async () => {
    const { id } = await owned({ pubsub_subscription: google.subscription });
    const added = google.addDevice('wired-camera', { id: 'added' });
    google.publishRelation('CREATED', added);
    await eventually(async () => (await camerasOf(stage, id)).has('added'), Boolean, 15_000);
  });

  test('a subscription that is named later asks for another consent', async () => {
    const { id } = await owned();
    const payload = { pubsub_subscription: google.subscription };
    const updated = await stage.operator({ module: 'credentials', command: 'update', entity: id, payload });
    expect(updated).toMatchObject(payload);
    const url = new URL(await grantUrl(stage, id));
    expect(url.searchParams.get('scope')).toBe(`${sdmScope} ${pubsubScope}`);
  });
});
