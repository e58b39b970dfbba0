import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { PictureName } from '../../services/streams/pictures/picture.files.ts';
import { api } from '../servers/media-server.suite.ts';
import { type MediaServer, startMediaServer } from '../servers/media-server.ts';
import { type CameraSource, cameraSource, decodeFrames } from '../servers/video.ts';
import { addCamera, cameraEnv, logIn, mediaServerKinds, type Owner } from '../system/cameras.ts';
import { eventually, within } from '../system/clients/wait.ts';
import { startOneProcess } from '../system/one-process.ts';
import { seen } from '../system/pictures.ts';
import { Cleanup, type System } from '../system/system.ts';

const refused = { frames: 0, error: expect.stringContaining('401') };

/** What viewers see at names that are no camera's, or no longer: decoded frames are compared with the pictures. */
describe.each(mediaServerKinds)('at a name without a camera, through $kind,', ({ real }) => {
  const cleanup = new Cleanup();
  let media: MediaServer;
  let source: CameraSource;
  let system: System;
  let admin: Owner;

  beforeAll(async () => {
    source = cleanup.add(await cameraSource(), (one) => one.stop());
    media = cleanup.add(await startMediaServer({ real }), (one) => one.stop());
    system = cleanup.add(await startOneProcess(cameraEnv(media.apiUrl)), (one) => one.stop());
    admin = cleanup.add(await logIn(system), (one) => one.close());
  }, 60_000);
  afterAll(() => cleanup.run(), 30_000);

  async function added(begins: string, viewer = admin) {
    const path = `${begins}-${randomUUID()}`;
    const { id } = await addCamera(admin, { mtx_path: path, source: source.url });
    const { rtsp, hls } = await viewer.call('streams.create', { payload: { camera: id } });
    return { id, path, rtsp: rtsp as string, hls: hls as string };
  }
  const update = (entity: string, payload: object) => admin.call('cameras.update', { entity, payload });
  /** The path of a camera goes, or comes, a moment after the camera. */
  const shows = (url: string, name: PictureName | 'live') =>
    eventually(
      async () => seen(await decodeFrames(url, 5, 12_000)),
      (names) => names.join() === name,
      40_000,
    );
  /** Watches until `end` does something about it. @returns what was seen until the media server cut it off */
  async function cutBy(url: string, end: () => Promise<unknown>) {
    const { promise: first, resolve } = Promise.withResolvers<void>();
    const watching = decodeFrames(url, 1_000, 90_000, resolve);
    await within(first, 'the first picture', 15_000);
    const before = Date.now();
    await end();
    const decoded = await watching;
    expect(Date.now() - before).toBeLessThan(30_000);
    return seen(decoded);
  }
  const without = (url: string, token = '') =>
    url.replace(/\/\/.*@/, token && `//viewer:${token}@`).replace(/^rtsp:127/, 'rtsp://127');
  const tokenOf = (url: string) => new URL(url.replace(/^rtsp/, 'http')).password;

  test('that is disabled, its viewers see that, until it is enabled and they come back to it', async () => {
    const { id, rtsp, hls } = await added('disabled');
    await shows(rtsp, 'live');
    await update(id, { is_enabled: false });
    await shows(rtsp, 'disabled');
    await shows(hls, 'disabled');
    const other = await added('other');
    expect(await decodeFrames(without(rtsp, tokenOf(other.rtsp)), 1, 8_000)).toMatchObject(refused);
    expect(await cutBy(rtsp, () => update(id, { is_enabled: true }))).toEqual(['disabled']);
    await shows(rtsp, 'live');
  }, 150_000);

  test('as it was renamed, deleted or never there, viewers see that there is no such camera', async () => {
    const { id, path, rtsp, hls } = await added('renamed');
    await update(id, { mtx_path: `${path}-next` });
    await shows(rtsp, 'missing');
    await shows(rtsp.replace(path, `${path}-next`), 'live');
    await update(id, { is_enabled: false });
    await shows(rtsp.replace(path, `${path}-next`), 'disabled');
    await admin.call('cameras.delete', { entity: id });
    await shows(rtsp.replace(path, `${path}-next`), 'missing');
    await shows(hls.replace(path, `never-${path}`), 'missing');
  }, 150_000);

  test('nobody sees anything without a token, or once their tokens were revoked', async () => {
    const user = { username: `leaver-${randomUUID()}`, password: 'soon to be logged out' };
    await admin.call('users.create', { payload: { ...user, roles: ['user'], can_login: true } });
    const leaver = cleanup.add(await logIn(system, user), (one) => one.close());
    const { id, rtsp } = await added('watched', leaver);
    await admin.call('cameras.delete', { entity: id });
    await shows(rtsp, 'missing');
    expect(await cutBy(rtsp, () => leaver.call('auth.delete', {}))).toEqual(['missing']);
    for (const url of [rtsp, without(rtsp), without(rtsp, 'x'.repeat(32))]) {
      expect(await decodeFrames(url, 1, 8_000)).toMatchObject(refused);
    }
  }, 150_000);

  test('the picture ends with its last viewer', async () => {
    const { id, path, rtsp } = await added('watched');
    await admin.call('cameras.delete', { entity: id });
    await shows(rtsp, 'missing');
    await eventually(
      () => api(media, 'GET', `paths/get/${path}`),
      ({ status }) => status === 404,
      30_000,
    );
  }, 90_000);
});

describe.each(mediaServerKinds)('with $kind', ({ real }) => {
  test('a path of the operator for all other names stays as it is', async () => {
    const cleanup = new Cleanup();
    try {
      const media = cleanup.add(await startMediaServer({ real, paths: { all: { maxReaders: 3 } } }), (one) =>
        one.stop(),
      );
      const source = cleanup.add(await cameraSource(), (one) => one.stop());
      const system = cleanup.add(await startOneProcess(cameraEnv(media.apiUrl)), (one) => one.stop());
      const admin = cleanup.add(await logIn(system), (one) => one.close());
      await addCamera(admin, { mtx_path: 'door', source: source.url });
      const { body } = await api(media, 'GET', 'config/paths/list');
      expect(body.items.map(({ name }: { name: string }) => name)).not.toContain('all_others');
      expect((await api(media, 'GET', 'config/paths/get/all')).body).toMatchObject({ maxReaders: 3, runOnDemand: '' });
    } finally {
      await cleanup.run();
    }
  }, 90_000);
});
