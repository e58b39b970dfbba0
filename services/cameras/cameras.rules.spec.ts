import { describe, expect, test } from '@jest/globals';
import { publicSource, settleSwitches, statusOf } from './cameras.rules.ts';

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
  ['rtsp://user:pa:ss@host:554/a?b=c', 'rtsp://host:554/a?b=c'],
  ['rtsps://user@host/a@b', 'rtsps://host/a@b'],
  ['rtsp://user:p@ss@host/', 'rtsp://host/'],
  ['rtsp://host/live', 'rtsp://host/live'],
  ['rtsp://user:p@host?x=1', 'rtsp://host?x=1'],
])('the source %s is shown as %s', (source, shown) => {
  expect(publicSource(source)).toBe(shown);
});
