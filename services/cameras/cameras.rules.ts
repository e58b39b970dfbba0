import { Failure } from '../../shared/contracts/index.ts';
import type { Camera } from './cameras.store.ts';

type Switches = Pick<Camera, 'mtx_path' | 'is_enabled' | 'is_persistent'>;

/**
 * How the switches of a camera hang together: an empty path is none, disabling ends persistence, and what is enabled
 * or persistent needs a path.
 * @throws Failure INVALID_REQUEST
 */
export function settleSwitches(before: Switches, asked: Partial<Switches>): Switches {
  const mtx_path = (asked.mtx_path === undefined ? before.mtx_path : asked.mtx_path) || null;
  const is_enabled = asked.is_enabled ?? before.is_enabled;
  const disabled = before.is_enabled && !is_enabled;
  const is_persistent = disabled ? false : (asked.is_persistent ?? before.is_persistent);
  if (mtx_path === null && (is_enabled || is_persistent || asked.is_persistent)) {
    const details = [{ message: 'needed by a camera that is enabled or persistent', path: ['payload', 'mtx_path'] }];
    throw new Failure('INVALID_REQUEST', 'An enabled or persistent camera needs an mtx_path', { details });
  }
  return { mtx_path, is_enabled, is_persistent };
}

/** What some cameras take in their path, as `/user=admin&password=…`. A value may hold anything but what ends it. */
const secretInPath = /((?:user(?:name)?|pass(?:word|wd)?|pwd|token)(?:=|%3D))(?:(?!%26|%3B)[^&;])*/gi;

/**
 * The source as it may be shown: scheme, host, port and path. A password that was not escaped may hold `/`, `?`, `#` and
 * `@`: all before the last `@` counts as one, even where it is the path's.
 */
export function publicSource(source: string): string {
  const [, scheme = '', rest = ''] = /^(rtsps?:\/\/)(?:.*@)?([^?#]*)/.exec(source) ?? [];
  return `${scheme}${rest.replace(secretInPath, '$1***')}`;
}

/** NestMTX's order of states, as far as it goes without a media server. */
export function statusOf({ mtx_path, is_enabled }: Switches): 'unconfigured' | 'disabled' | 'dead' {
  if (mtx_path === null) return 'unconfigured';
  return is_enabled ? 'dead' : 'disabled';
}
