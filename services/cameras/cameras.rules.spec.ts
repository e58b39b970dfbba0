import { describe, expect, test } from '@jest/globals';
import { silentLog } from '../../shared/runtime/log.ts';
import { vault } from '../../shared/runtime/vault.ts';
import { publicSource, settleSwitches, statusOf } from './cameras.rules.ts';
import type { Camera } from './cameras.store.ts';
import { cameraViews } from './cameras.views.ts';

const off = { mtx_path: null, is_enabled: false, is_persistent: false };
const on = { mtx_path: 'door', is_enabled: true, is_persistent: true };
const invalid = expect.objectContaining({ type: 'INVALID_REQUEST' });

describe('the switches of a camera', () => {
  test('an enabled or persistent camera needs a path', () => {
    expect(() => settleSwitches(off, { is_enabled: true })).toThrow(invalid);
    expect(() => settleSwitches(off, { is_persistent: true })).toThrow(invalid);
    expect(() => settleSwitches(on, { mtx_path: null })).toThrow(invalid);
    expect(settleSwitches(off, { is_enabled: true, mtx_path: 'x' })).toMatchObject({ is_enabled: true, mtx_path: 'x' });
  });

  test('an empty path is none', () => {
    expect(settleSwitches({ ...off, mtx_path: 'x' }, { mtx_path: '' }).mtx_path).toBeNull();
  });

  test('disabling ends persistence, even where it is asked for in the same breath', () => {
    expect(settleSwitches(on, { is_enabled: false }).is_persistent).toBe(false);
    expect(settleSwitches(on, { is_enabled: false, is_persistent: true }).is_persistent).toBe(false);
  });

  test('a camera may be made persistent before it is enabled', () => {
    const asked = { mtx_path: 'x', is_enabled: false, is_persistent: true };
    expect(settleSwitches(off, asked)).toEqual(asked);
  });

  test('what is not named stays', () => {
    expect(settleSwitches(on, {})).toEqual(on);
  });
});

test.each([
  [off, 'unconfigured'],
  [{ ...off, mtx_path: 'x' }, 'disabled'],
  [on, 'dead'],
] as const)('%j is %s', (switches, status) => {
  expect(statusOf(switches)).toBe(status);
});

test.each([
  ['rtsp://user:pa:ss@host:554/a?b=c', 'rtsp://host:554/a'],
  ['rtsps://user@host/a', 'rtsps://host/a'],
  ['rtsp://user:p@ss@host/', 'rtsp://host/'],
  ['rtsp://admin:pa/ss@10.0.0.5/live', 'rtsp://10.0.0.5/live'],
  ['rtsp://admin:1234/5?6#7@10.0.0.5/live', 'rtsp://10.0.0.5/live'],
  ['rtsp://host/live', 'rtsp://host/live'],
  ['rtsp://[::1]:554/live', 'rtsp://[::1]:554/live'],
  ['rtsp://user:p@host?x=1', 'rtsp://host'],
  ['rtsp://host/live#S3cret', 'rtsp://host/live'],
  ['rtsp://host/live?username=admin&password=S3cret', 'rtsp://host/live'],
  [
    'rtsp://10.0.0.5:554/user=admin&password=S3cret&channel=1&stream=0.sdp',
    'rtsp://10.0.0.5:554/user=***&password=***&channel=1&stream=0.sdp',
  ],
  ['rtsp://host/user=admin_password=S3cret_channel=1', 'rtsp://host/user=***'],
  ['rtsp://host/Username=admin;PWD=S3/cret;a=1', 'rtsp://host/Username=***;PWD=***;a=1'],
  ['rtsp://host/pass%3DS3cret%26token%3Dx%26a%3D1', 'rtsp://host/pass%3D***%26token%3D***%26a%3D1'],
])('the source %s is shown as %s', (source, shown) => {
  expect(publicSource(source)).toBe(shown);
  expect(publicSource(shown)).toBe(shown);
});

test('a source that is stored with more than may be shown is not shown so', () => {
  const { record } = cameraViews(vault([{ id: 'k', key: Buffer.alloc(32, 1) }]), silentLog);
  const shown = (source: string | null) => record({ ...on, id: 'c', source } as Camera).source;
  expect(shown('rtsp://host/live?password=S3cret')).toBe('rtsp://host/live');
  expect(shown(null)).toBeNull();
});
