import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { MqttClient } from 'mqtt';
import type { Socket } from 'socket.io-client';
import type { ServiceEvent } from '../../shared/fanout/bus.ts';
import { type MediaServer, startMediaServer } from '../servers/media-server.ts';
import { type CameraSource, cameraSource, decodeFrames } from '../servers/video.ts';
import { calmly } from '../system/calm.ts';
import { addCamera, cameraEnv, logIn, mediaServerKinds, type Owner } from '../system/cameras.ts';
import { openMqtt } from '../system/clients/mqtt.client.ts';
import { openSocket } from '../system/clients/socketio.client.ts';
import { eventually } from '../system/clients/wait.ts';
import { startOneProcess } from '../system/one-process.ts';
import { Cleanup, type System } from '../system/system.ts';

/** Milliseconds from the start of a reader to its first decoded picture, of a camera that nobody watched before. */
const firstPictureMs = 3_000;

/** An RTSP camera watched through a media server, all in one process but the servers. */
describe.each(mediaServerKinds)('viewing a camera through $kind', ({ real }) => {
  const cleanup = new Cleanup();
  let media: MediaServer;
  let source: CameraSource;
  let system: System;
  let admin: Owner;
  let viewer: Owner;
  let door: { id: string };
  let socket: Socket;
  let mqtt: MqttClient;
  const heard: ServiceEvent[] = [];
  const heardOnMqtt: { topic: string; body: ServiceEvent }[] = [];

  beforeAll(async () => {
    source = cleanup.add(await cameraSource({ user: 'cam', password: 'p@ss#w0rd' }), (one) => one.stop());
    media = cleanup.add(await startMediaServer({ real }), (one) => one.stop());
    system = cleanup.add(await startOneProcess({ ...cameraEnv(media.apiUrl), STREAM_LIMIT_PER_USER: '2' }), (one) =>
      one.stop(),
    );
    admin = cleanup.add(await logIn(system), (one) => one.close());
    const user = { username: 'viewer', password: 'a viewer of cameras' };
    await admin.call('users.create', { payload: { ...user, roles: ['user'], can_login: true } });
    viewer = cleanup.add(await logIn(system, user), (one) => one.close());
    door = await addCamera(admin, { mtx_path: 'door', source: source.url });
    socket = cleanup.add(await openSocket(system.socketioUrls[0] as string, viewer.token), (one) => one.disconnect());
    socket.on('camera:*', (event: ServiceEvent) => heard.push(event));
    socket.on('streams:*', (event: ServiceEvent) => heard.push(event));
    mqtt = cleanup.add(await openMqtt(system.mqttUrls[0] as string), (one) => one.endAsync(true));
    await mqtt.subscribeAsync('/nestmtx/events/camera/#', { qos: 1 });
    mqtt.on('message', (topic, payload) => heardOnMqtt.push({ topic, body: JSON.parse(payload.toString()) }));
  }, 60_000);
  afterAll(() => cleanup.run(), 30_000);

  const urls = (owner: Owner, camera = door.id) => owner.call('streams.create', { payload: { camera } });
  const names = () => heard.map(({ event }) => event);
  /** Names of paths that are in use. */
  const pathsNow = async () => {
    const answer = await fetch(`${media.apiUrl}/v3/paths/list?itemsPerPage=1000`);
    return ((await answer.json()) as { items: { name: string }[] }).items.map(({ name }) => name);
  };
  const isFed = async () => (await pathsNow()).some((name) => name.startsWith(`trigate/${door.id}/`));
  const isIdle = () =>
    eventually(
      () => viewer.call('streams.read', { entity: door.id }),
      ({ state, readers }) => state === 'idle' && readers === 0,
      // A media server keeps what it made for HLS for a minute, and then its demand for a while.
      100_000,
    );

  test('the first viewer gets decoded pictures in under 3 s over RTSP, and the camera is let go afterwards', async () => {
    await isIdle();
    const { rtsp, expires } = await urls(viewer);
    const decoded = await decodeFrames(rtsp as string, 5);
    console.info(`RTSP: first picture after ${decoded.firstMs} ms`);
    expect(decoded).toMatchObject({ frames: 5, error: '' });
    expect(decoded.firstMs).toBeLessThan(calmly(firstPictureMs));
    expect(Date.parse(expires)).toBeGreaterThan(Date.now());
    expect(await isFed()).toBe(true);
    await isIdle();
    const expected = ['demand', 'ready', 'started', 'read', 'unread', 'unDemand', 'notReady', 'stopped'];
    await eventually(
      async () => names(),
      (all) => expected.every((name) => all.includes(name)),
      10_000,
    );
    // Each protocol tells in its own time.
    await eventually(
      async () => heardOnMqtt.map(({ body }) => body.event),
      (all) => ['read', 'unread', 'notReady'].every((name) => all.includes(name)),
      10_000,
    );
    const base = { name: 'door', enabled: true, path: 'door', query: '' };
    const source = { sourceType: 'rtspSession', sourceId: expect.any(String) };
    const reader = { readerType: 'rtspSession', readerId: expect.any(String) };
    const told = (event: string, details: object) => {
      const body = { domain: 'camera', event, entity: door.id, details, at: expect.any(String) };
      expect(heard).toContainEqual(body);
      expect(heardOnMqtt).toContainEqual({ topic: `/nestmtx/events/camera/${door.id}/${event}`, body });
    };
    for (const event of ['demand', 'unDemand']) told(event, { ...base, query: expect.any(String) });
    for (const event of ['ready', 'notReady']) told(event, { ...base, query: expect.any(String), ...source });
    for (const event of ['read', 'unread']) told(event, { ...base, ...reader });
  }, 150_000);

  test('the first viewer gets decoded pictures in under 3 s over HLS, and no event repeats the token', async () => {
    await isIdle();
    const { hls } = await urls(viewer);
    const decoded = await decodeFrames(hls as string, 5);
    console.info(`HLS: first picture after ${decoded.firstMs} ms`);
    expect(decoded).toMatchObject({ frames: 5, error: '' });
    expect(decoded.firstMs).toBeLessThan(calmly(firstPictureMs));
    const token = new URL(hls as string).searchParams.get('token') as string;
    expect(JSON.stringify(heard)).not.toContain(token);
  }, 150_000);

  test('who has no token, one of another camera, or one of nobody sees nothing', async () => {
    await isIdle();
    const other = await addCamera(admin, { mtx_path: `garden-${randomUUID()}`, source: source.url });
    const bare = `${media.rtspUrl}/door`;
    const { rtsp, hls } = await urls(viewer, other.id);
    const borrowed = (rtsp as string).replace(/\/garden.*$/, '/door');
    const invented = bare.replace('//', `//viewer:${'x'.repeat(32)}@`);
    for (const url of [bare, borrowed, invented]) {
      expect(await decodeFrames(url, 1, 8_000)).toMatchObject({ frames: 0, error: expect.stringContaining('401') });
    }
    const index = `${media.hlsUrl}/door/index.m3u8`;
    const token = new URL(hls as string).searchParams.get('token');
    for (const url of [index, `${index}?token=${token}`, `${index}?token=${'x'.repeat(32)}`]) {
      expect((await fetch(url)).status).toBe(401);
      expect(await decodeFrames(url, 1, 8_000)).toMatchObject({ frames: 0 });
    }
    // Nor does the camera begin for them.
    expect(await isFed()).toBe(false);
  }, 150_000);

  test('a user watches as many streams at once as are allowed', async () => {
    const open = [await urls(viewer), await urls(viewer)];
    const readers = open.map(({ rtsp }) => decodeFrames(rtsp as string, 1_000, 12_000));
    await eventually(
      () => viewer.call('streams.read', { entity: door.id }),
      (stream) => stream.readers === 2,
      10_000,
    );
    expect(await viewer.answer('streams.create', { payload: { camera: door.id } })).toEqual({ code: 'LIMIT_EXCEEDED' });
    expect(await admin.answer('streams.create', { payload: { camera: door.id } })).not.toHaveProperty('code');
    const list = await viewer.call('streams.list', {});
    expect(list.items).toContainEqual(expect.objectContaining({ camera: door.id, state: 'ready', readers: 2 }));
    await viewer.call('streams.delete', { entity: door.id });
    for (const { frames } of await Promise.all(readers)) expect(frames).toBeLessThan(1_000);
    await eventually(
      () => viewer.answer('streams.create', { payload: { camera: door.id } }),
      ({ code }) => code === undefined,
      20_000,
    );
  }, 60_000);

  test('two readers that open one URL at the same time both go on', async () => {
    const { rtsp } = await urls(admin);
    // Longer than until the next look at who reads: pictures of 13 s.
    const both = await Promise.all([1, 2].map(() => decodeFrames(rtsp as string, 130, 30_000)));
    expect(both).toEqual([expect.objectContaining({ frames: 130 }), expect.objectContaining({ frames: 130 })]);
  }, 60_000);

  /** Watches until `end` does something about it; resolves to the milliseconds that took. @throws where it goes on */
  async function endsWith(rtsp: string, end: () => Promise<unknown>): Promise<number> {
    const begun = () => heard.filter(({ event, entity }) => event === 'read' && entity === door.id).length;
    const already = begun();
    const watching = decodeFrames(rtsp, 1_000, 20_000);
    await eventually(
      async () => begun(),
      (count) => count > already,
      15_000,
    );
    const before = Date.now();
    await end();
    expect((await watching).frames).toBeLessThan(1_000);
    return Date.now() - before;
  }

  test('deleting an API key ends what was opened with it, within 2 s, and its tokens open nothing more', async () => {
    const { id, key } = await admin.call('api-keys.create', { payload: { name: 'a screen', roles: ['user'] } });
    const answer = await fetch(`${system.httpUrls[0]}/api/streams`, {
      method: 'POST',
      headers: { 'X-API-Key': key, 'Content-Type': 'application/json' },
      body: JSON.stringify({ camera: door.id }),
    });
    const { rtsp } = (await answer.json()) as { rtsp: string };
    const gone = await endsWith(rtsp, () => admin.call('api-keys.delete', { entity: id }));
    console.info(`revocation: the reader of a key was gone after ${gone} ms`);
    expect(gone).toBeLessThan(2_000);
    expect(await decodeFrames(rtsp, 1, 8_000)).toMatchObject({ frames: 0 });
  }, 60_000);

  test('logging out ends what the user watches, within 2 s, and its tokens open nothing more', async () => {
    const user = { username: `leaver-${randomUUID()}`, password: 'soon to be logged out' };
    await admin.call('users.create', { payload: { ...user, roles: ['user'], can_login: true } });
    const leaver = cleanup.add(await logIn(system, user), (one) => one.close());
    const { rtsp } = await urls(leaver);
    const gone = await endsWith(rtsp as string, () => leaver.call('auth.delete', {}));
    console.info(`revocation: the reader was gone after ${gone} ms`);
    expect(gone).toBeLessThan(2_000);
    expect(await decodeFrames(rtsp as string, 1, 8_000)).toMatchObject({ frames: 0 });
  }, 60_000);

  test('logging out ends what the user watches over HLS: within 2 s no segment comes any more', async () => {
    const user = { username: `leaver-${randomUUID()}`, password: 'soon to be logged out' };
    await admin.call('users.create', { payload: { ...user, roles: ['user'], can_login: true } });
    const leaver = cleanup.add(await logIn(system, user), (one) => one.close());
    const { hls } = await urls(leaver);
    const index = await fetch(hls as string);
    const named = (playlist: string) => playlist.split('\n').filter((line) => line && !line.startsWith('#'));
    const playlist = new URL(named(await index.text())[0] as string, index.url);
    let segment: URL | undefined;
    const fetched = async () => {
      const answer = await fetch(playlist);
      if (answer.status !== 200) return answer.status;
      const last = named(await answer.text()).at(-1);
      if (!last) return 0;
      segment = new URL(last, playlist);
      return (await fetch(segment)).status;
    };
    await eventually(fetched, (status) => status === 200, 15_000);
    const before = Date.now();
    await leaver.call('auth.delete', {});
    expect(await eventually(fetched, (status) => status !== 200, 10_000)).toBe(401);
    const gone = Date.now() - before;
    console.info(`revocation: no segment of HLS came any more after ${gone} ms`);
    expect(gone).toBeLessThan(2_000);
    expect((await fetch(segment as URL)).status).toBe(401);
    expect((await fetch(hls as string)).status).toBe(401);
  }, 60_000);

  test('the metrics count cameras by the state of their stream', async () => {
    const text = await (await fetch(`${system.httpUrls[0]}/metrics`)).text();
    const counts = [...text.matchAll(/^trigate_cameras\{state="(\w+)"\} (\d+)$/gm)].map(([, state, count]) => [
      state,
      Number(count),
    ]);
    const { total } = await admin.call('cameras.list', {});
    expect(counts.map(([state]) => state)).toEqual(['idle', 'starting', 'ready', 'failed']);
    expect(counts.reduce((sum, [, count]) => sum + (count as number), 0)).toBe(total);
  });

  test('the URLs of a camera that was enabled a moment ago have their path already', async () => {
    const statusOf = async (mtx_path: string) => {
      const camera = await addCamera(admin, { mtx_path, source: source.url });
      const { status } = await fetch(`${media.apiUrl}/v3/config/paths/get/${mtx_path}`);
      await admin.call('cameras.delete', { entity: camera.id });
      return status;
    };
    // The moment between the record and the path is short: many are tried, twenty at a time.
    for (let round = 0; round < 5; round += 1) {
      const statuses = await Promise.all(Array.from({ length: 20 }, () => statusOf(`new-${randomUUID()}`)));
      expect(statuses).toEqual(Array(20).fill(200));
    }
  }, 60_000);

  test('a camera whose path is somebody else’s says so, until it is free', async () => {
    const path = `yard-${randomUUID()}`;
    const change = (method: string, action: string) =>
      fetch(`${media.apiUrl}/v3/config/paths/${action}/${path}`, { method, ...(method === 'POST' && { body: '{}' }) });
    expect((await change('POST', 'add')).status).toBe(200);
    const payload = { name: path, mtx_path: path, source: source.url, is_enabled: true };
    const camera = await admin.call('cameras.create', { payload });
    const create = () => admin.answer('streams.create', { payload: { camera: camera.id } });
    expect(await create()).toEqual({ code: 'CONFLICT' });
    const { items } = await eventually(
      () => viewer.call('streams.list', {}),
      (list) => list.items.some((one) => one.camera === camera.id),
      30_000,
    );
    const problem = expect.stringContaining(`a path named ${path} that is not Trigate's`);
    expect(items).toContainEqual(expect.objectContaining({ camera: camera.id, state: 'failed', problem }));
    await change('DELETE', 'delete');
    await eventually(create, ({ code }) => code === undefined, 30_000);
    await eventually(
      () => viewer.call('streams.read', { entity: camera.id }),
      (stream) => stream.state === 'idle' && stream.problem === null,
      30_000,
    );
    await admin.call('cameras.delete', { entity: camera.id });
  }, 90_000);

  test('a media server that restarts has its paths back and serves again', async () => {
    await media.restart();
    await eventually(
      async () => (await fetch(`${media.apiUrl}/v3/config/paths/get/door`).catch(() => null))?.status,
      (status) => status === 200,
      10_000,
    );
    await eventually(
      () => viewer.answer('streams.create', { payload: { camera: door.id } }),
      ({ code }) => code === undefined,
      10_000,
    );
    const { rtsp } = await urls(viewer);
    expect(await decodeFrames(rtsp as string, 5)).toMatchObject({ frames: 5 });
  }, 60_000);

  test('a camera that is disabled or deleted leaves the media server', async () => {
    const gone = (name: string) =>
      eventually(
        async () => (await fetch(`${media.apiUrl}/v3/config/paths/get/${name}`)).status,
        (status) => status === 404,
        10_000,
      );
    const [one, two] = [`one-${randomUUID()}`, `two-${randomUUID()}`];
    const disabled = await addCamera(admin, { mtx_path: one, source: source.url });
    await admin.call('cameras.update', { entity: disabled.id, payload: { is_enabled: false } });
    await gone(one);
    expect(await viewer.answer('streams.create', { payload: { camera: disabled.id } })).toEqual({ code: 'CONFLICT' });
    const deleted = await addCamera(admin, { mtx_path: two, source: source.url });
    await admin.call('cameras.delete', { entity: deleted.id });
    await gone(two);
  }, 60_000);
});
