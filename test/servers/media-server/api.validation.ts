import type { Kind, Shape } from './api.decode.ts';
import {
  durationMs,
  type ForwardDestination,
  formatDuration,
  type GlobalConfig,
  globalDefaults,
  oldNames,
  type PathConfig,
  type Permission,
  pathDefaults,
} from './config.ts';

const permission: Shape = { action: 'string', path: 'string' };
const shapes: Record<string, Shape> = {
  forward: { dest: 'string', destFingerprint: 'string', whipBearerToken: 'string' },
  authInternalUsers: { user: 'string', pass: 'string', ips: 'strings', permissions: [permission] },
  authHTTPExclude: permission,
  authJWTExclude: permission,
  alwaysAvailableTracks: { codec: 'string', sampleRate: 'int', channelCount: 'int', muLaw: 'bool' },
  webrtcICEServers2: { url: 'string', username: 'string', password: 'string', clientOnly: 'bool' },
};
const isDuration = /(Timeout|Duration|CloseAfter|DeleteAfter)$/;

function kindOf(field: string, example: unknown): Kind {
  const shape = shapes[field];
  if (shape) return [shape];
  if (typeof example === 'boolean') return 'bool';
  if (typeof example === 'number') return 'int';
  if (Array.isArray(example)) return typeof example[0] === 'number' ? 'ints' : 'strings';
  return isDuration.test(field) ? 'duration' : 'string';
}

const shapeOf = (defaults: Record<string, unknown>): Shape =>
  Object.fromEntries(Object.entries(defaults).map(([field, example]) => [field, kindOf(field, example)]));

const deprecated: Shape = {
  runOnReady: 'string',
  runOnReadyRestart: 'bool',
  runOnNotReady: 'string',
  disablePublisherOverride: 'bool',
  fallback: 'string',
  publishUser: 'string',
  publishPass: 'string',
  readUser: 'string',
  readPass: 'string',
};

export const pathShape: Shape = { ...shapeOf(pathDefaults), ...deprecated };
export const globalShape: Shape = shapeOf(globalDefaults);

/** Says what is wrong with the name of a path; undefined where nothing is. */
export function badName(name: string): string | undefined {
  if (name === '') return 'cannot be empty';
  if (name.startsWith('/')) return "can't begin with a slash";
  if (name.endsWith('/')) return "can't end with a slash";
  if (!/^[0-9a-zA-Z_\-/.]+$/.test(name)) {
    return 'can contain only alphanumeric characters, underscore, dot, minus, slash';
  }
  if (name.split('/').some((part) => part === '.' || part === '..')) return "can't contain dot path segments";
  return undefined;
}

/** The expression of a path that stands for many, or undefined. @throws Error where it is none */
export function expressionOf(name: string): RegExp | undefined {
  if (name === 'all' || name === 'all_others') return /^.*$/;
  if (!name.startsWith('~')) return undefined;
  try {
    return new RegExp(name.slice(1));
  } catch {
    throw new Error(`invalid regular expression: ${name.slice(1)}`);
  }
}

function checkUrl(source: string): URL {
  const filled = source.replace(/:\$G\d+/g, ':1935').replace(/\$G\d+/g, 'abc');
  // Go reads user, host and port of any scheme; URL does so of the known ones only.
  const [, scheme = '', rest = ''] = /^([a-z][a-z0-9+.-]*):\/\/(.+)$/i.exec(filled) ?? [];
  const url = scheme && URL.canParse(`http://${rest}`) ? new URL(`http://${rest}`) : undefined;
  if (!url?.host) throw new Error(`'${source}' is not a valid URL`);
  if ((url.username === '') !== (url.password === '')) throw new Error('username and password must be both provided');
  return url;
}

const pulled = /^(rtsps?(\+(http|ws))?|rtmps?|https?|srt|moqt|wheps?|udp|udp\+mpegts|udp\+rtp):\/\//;
const pushed = ['rtmp', 'rtmps', 'rtsp', 'rtsps', 'srt', 'whip', 'whips'];

function checkForward(forward: readonly ForwardDestination[]): void {
  for (const [index, { dest }] of forward.entries()) {
    const fail = (reason: string) => new Error(`invalid 'forward': entry ${index}: ${reason}`);
    if (!dest) throw fail('destination is empty');
    try {
      checkUrl(dest.replaceAll('$MTX_PATH', 'path'));
    } catch (error) {
      throw fail((error as Error).message);
    }
    const scheme = dest.split(':')[0] ?? '';
    if (!pushed.includes(scheme)) {
      throw fail(`unsupported scheme '${scheme}', supported ones are ${pushed.slice(0, -1).join(', ')} and whips`);
    }
  }
}

function checkSource({ source, sourceRedirect, sourceOnDemand }: PathConfig, isExpression: boolean): void {
  if (source !== 'redirect' && sourceRedirect)
    throw new Error("'sourceRedirect' is useless when source is not 'redirect'");
  if (source === 'redirect' && !sourceRedirect) throw new Error('source redirect must be filled');
  const known = source === 'publisher' || source === 'redirect' || source === 'rpiCamera';
  if (pulled.test(source)) checkUrl(source);
  else if (!known) throw new Error(`invalid source: '${source}'`);
  if (sourceOnDemand && source === 'publisher') {
    throw new Error("'sourceOnDemand' is useless when source is 'publisher'");
  }
  if (isExpression && !sourceOnDemand && source !== 'publisher' && source !== 'redirect') {
    throw new Error(
      "a path with a regular expression (or path 'all_others') and a static source must have 'sourceOnDemand' set to true",
    );
  }
}

function checkDurations(config: Record<string, unknown>, shape: Shape): void {
  for (const [field, kind] of Object.entries(shape)) {
    if (kind === 'duration' && config[field] !== undefined)
      config[field] = formatDuration(durationMs(String(config[field])));
  }
}

/** Completes a path's configuration and checks it. @throws Error with the words of the real server, for its 400 */
export function completePath(name: string, defaults: PathConfig, given: Record<string, unknown>): PathConfig {
  const config: PathConfig = { ...defaults, ...given, name };
  for (const [old, current] of Object.entries(oldNames)) if (config[old] !== undefined) config[current] = config[old];
  config.forward = config.forward.map((entry) => ({
    ...{ dest: '', destFingerprint: '', whipBearerToken: '' },
    ...entry,
  }));
  checkDurations(config, pathShape);
  const expression = expressionOf(name);
  const reason = expression ? undefined : badName(name);
  if (reason) throw new Error(`invalid path name '${name}': ${reason}`);
  checkSource(config, expression !== undefined);
  checkForward(config.forward);
  if (config.alwaysAvailable) throw new Error("the stand-in does not serve 'alwaysAvailable'");
  if (!String(config.recordPath).includes('%path')) throw new Error("'recordPath' must contain %path");
  if (config.runOnInit && expression) {
    throw new Error(
      "a path with a regular expression (or path 'all_others') does not support option 'runOnInit'; use another path",
    );
  }
  if ((config.runOnDemand || config.runOnUnDemand) && config.source !== 'publisher') {
    throw new Error("'runOnDemand' and 'runOnUnDemand' can be used only when source is 'publisher'");
  }
  return config;
}

const actions = ['publish', 'read', 'playback', 'api', 'metrics', 'pprof'];

/** @throws Error */
function completePermissions(permissions: readonly Partial<Permission>[] = []): Permission[] {
  return permissions.map(({ action = '', path = '' }) => {
    if (!actions.includes(action)) throw new Error(`invalid auth action: '${action}'`);
    return { action, path };
  });
}

const plainCredential = /^[a-zA-Z0-9!$()*+.;<=>[\]^_\-{}@#&]*$/;
const credentialSigns = 'A-Z,0-9,!,$,(,),*,+,.,;,<,=,>,[,],^,_,-,",",@,#,&';

function checkCredential(text: string): void {
  if (plainCredential.test(text) || /^(sha256|argon2):/.test(text)) return;
  throw new Error(`credential contains unsupported characters. Supported are: ${credentialSigns}`);
}

/** @throws Error with the words of the real server, for its 400 */
export function completeGlobal(current: GlobalConfig, given: Record<string, unknown>): GlobalConfig {
  const config: GlobalConfig = { ...current, ...given };
  checkDurations(config, globalShape);
  config.authHTTPExclude = completePermissions(config.authHTTPExclude);
  config.authInternalUsers = config.authInternalUsers.map(({ user = '', pass = '', ips = [], permissions }) => ({
    user,
    pass,
    ips,
    permissions: completePermissions(permissions),
  }));
  for (const { user, pass } of config.authInternalUsers) [user, pass].forEach(checkCredential);
  if (!['internal', 'http', 'jwt'].includes(config.authMethod))
    throw new Error(`invalid authMethod: '${config.authMethod}'`);
  if (config.authMethod === 'jwt') throw new Error("the stand-in does not serve authMethod 'jwt'");
  if (config.authMethod === 'http') {
    if (!config.authHTTPAddress) throw new Error("'authHTTPAddress' is empty");
    if (!/^https?:\/\//.test(config.authHTTPAddress)) throw new Error("'externalAuthenticationURL' must be a HTTP URL");
  }
  return config;
}
