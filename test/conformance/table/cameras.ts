import { expect } from '@jest/globals';
import { cameraRecord } from '../../../shared/contracts/cameras.contract.ts';
import { bad, type Case, good, story } from '../case.ts';
import { type Stage, secret } from '../stage.ts';
import { listCases } from './lists.ts';

const keys = Object.keys(cameraRecord.shape).sort();
const source = 'rtsp://10.0.0.1:554/stream';
const named = (stage: Stage) => ({ name: stage.unique('camera'), source });
const create = (what: string, more: object) =>
  bad('cameras.create', what, 'INVALID_REQUEST', 'admin', (stage) => ({ payload: { ...named(stage), ...more } }));
const update = (what: string, payload: object) =>
  bad('cameras.update', what, 'INVALID_REQUEST', 'admin', async (stage) => ({
    entity: (await stage.camera()).id,
    payload,
  }));

const goodCases: Case[] = [
  good(
    'cameras.create',
    'fills in what was not said',
    'admin',
    (stage) => ({ payload: named(stage) }),
    (camera) => {
      expect(Object.keys(camera).sort()).toEqual(keys);
      expect(camera).toMatchObject({
        room: 'Unknown',
        mtx_path: null,
        is_enabled: false,
        status: 'unconfigured',
        source,
      });
      expect(Date.parse(String(camera.createdAt))).toBeGreaterThan(Date.now() - 60_000);
    },
  ),
  good(
    'cameras.create',
    'shows a source without its login',
    'admin',
    (stage) => {
      return { payload: { ...named(stage), source: `rtsp://viewer:${secret()}@10.0.0.1/stream` } };
    },
    (camera) => expect(camera.source).toBe('rtsp://10.0.0.1/stream'),
  ),
  good(
    'cameras.create',
    'with everything',
    'admin',
    (stage) => {
      return {
        payload: { ...named(stage), room: 'Porch', mtx_path: stage.path(), is_enabled: true, is_persistent: true },
      };
    },
    (camera) => expect(camera).toMatchObject({ room: 'Porch', is_enabled: true, is_persistent: true }),
  ),
  good(
    'cameras.read',
    'by a user',
    'user',
    async (stage) => ({ entity: (await stage.camera()).id }),
    (camera) => {
      expect(Object.keys(camera).sort()).toEqual(keys);
    },
  ),
  good(
    'cameras.update',
    'merges',
    'admin',
    async (stage) => {
      return { entity: (await stage.camera({ room: 'Porch' })).id, payload: { name: 'Other' } };
    },
    (camera) => expect(camera).toMatchObject({ name: 'Other', room: 'Porch', source: 'rtsp://10.0.0.1/stream' }),
  ),
  good(
    'cameras.update',
    'that disables ends persistence',
    'admin',
    async (stage) => {
      const camera = await stage.camera({ mtx_path: stage.path(), is_enabled: true, is_persistent: true });
      return { entity: camera.id, payload: { is_enabled: false } };
    },
    (camera) => expect(camera).toMatchObject({ is_enabled: false, is_persistent: false }),
  ),
  good(
    'cameras.update',
    'with an empty path takes it away',
    'admin',
    async (stage) => {
      return { entity: (await stage.camera({ mtx_path: stage.path() })).id, payload: { mtx_path: '' } };
    },
    (camera) => expect(camera).toMatchObject({ mtx_path: null, status: 'unconfigured' }),
  ),
  good(
    'cameras.update',
    'with nothing changes nothing',
    'admin',
    async (stage) => {
      return { entity: (await stage.camera({ room: 'Porch' })).id, payload: {} };
    },
    (camera) => expect(camera.room).toBe('Porch'),
  ),
  good(
    'cameras.rekey',
    'leaves alone what the first key sealed',
    'admin',
    async (stage) => {
      await stage.camera();
      return {};
    },
    (result) => expect(result).toMatchObject({ records: expect.any(Number), resealed: 0, unreadable: 0 }),
  ),
  good(
    'cameras.delete',
    'takes it away',
    'admin',
    async (stage) => ({ entity: (await stage.camera()).id }),
    (result) => {
      expect(result).toBeNull();
    },
  ),
];

const badCases: Case[] = [
  create('enabled without a path', { is_enabled: true }),
  create('persistent without a path', { is_persistent: true }),
  create('with an empty path, enabled', { is_enabled: true, mtx_path: '' }),
  create('with a slash in the path', { mtx_path: 'a/b' }),
  create('with a path of 256 characters', { mtx_path: 'p'.repeat(256) }),
  create('with a source that is not RTSP', { source: 'http://10.0.0.1/stream' }),
  create('with a source without a host', { source: 'rtsp://' }),
  create('with a space in the source', { source: 'rtsp://10.0.0.1/a b' }),
  create('with an empty name', { name: '' }),
  create('with a name of 256 characters', { name: 'n'.repeat(256) }),
  create('with a line break in the name', { name: 'a\nb' }),
  create('with an empty room', { room: '' }),
  create('with a key only the server sets', { credentialId: 'x' }),
  create('with an id', { id: 'mine' }),
  update('that enables without a path', { is_enabled: true }),
  update('of the checksum', { checksum: 'x' }),
  bad('cameras.create', 'with a path that is taken', 'CONFLICT', 'admin', async (stage) => {
    const { mtx_path } = await stage.camera({ mtx_path: stage.path() });
    return { payload: { ...named(stage), mtx_path } };
  }),
  bad('cameras.update', 'to a path that is taken', 'CONFLICT', 'admin', async (stage) => {
    const [{ mtx_path }, { id }] = [await stage.camera({ mtx_path: stage.path() }), await stage.camera()];
    return { entity: id, payload: { mtx_path } };
  }),
];

export const cameraCases: Case[] = [
  ...listCases({
    module: 'cameras',
    as: 'user',
    key: 'name',
    other: 'room',
    contains: true,
    make: (stage, name) => stage.camera({ name }),
  }),
  ...goodCases,
  ...badCases,
  story('a deleted camera is gone', async (stage) => {
    const { id } = await stage.camera();
    await stage.ok({ module: 'cameras', command: 'delete', entity: id });
    for (const command of ['read', 'delete']) {
      expect(await stage.code({ module: 'cameras', command, entity: id })).toBe('NOT_FOUND');
    }
  }),
  story('the path of a deleted camera is free', async (stage) => {
    const { id, mtx_path } = await stage.camera({ mtx_path: stage.path() });
    await stage.ok({ module: 'cameras', command: 'delete', entity: id });
    const payload = { ...named(stage), mtx_path };
    expect(await stage.code({ module: 'cameras', command: 'create', payload })).toBe('OK');
  }),
  story('nobody finds a camera by the password of its source', async (stage) => {
    const password = secret();
    await stage.camera({ source: `rtsp://viewer:${password}@10.0.0.1/stream` });
    const payload = { search: password };
    expect(await stage.ok({ module: 'cameras', command: 'list', payload })).toMatchObject({ items: [], total: 0 });
  }),
];
