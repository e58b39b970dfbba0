import { freePathName, type HookContext, type HookEvent, hookCommand, hookMarker } from './hooks.rules.ts';

/** Keys of a MediaMTX path that Trigate sets; the server fills in the rest. Durations are text such as `10s`. */
export interface PathConf {
  source: string;
  sourceOnDemand?: boolean;
  rtspTransport?: 'tcp';
  whepBearerToken?: string;
  overridePublisher?: boolean;
  forward?: { dest: string }[];
  runOnDemand?: string;
  runOnUnDemand?: string;
  runOnDemandStartTimeout?: string;
  runOnDemandCloseAfter?: string;
  runOnAvailable?: string;
  runOnUnavailable?: string;
  runOnRead?: string;
  runOnUnread?: string;
}

/** Begins the names of paths that are not for viewers. */
export const ownPrefix = 'trigate/';

/** What keeps a camera's `mtx_path` from being a path's name, as a sentence; null where nothing does. */
export function viewerNameProblem(name: string): string | null {
  if (name.startsWith(ownPrefix)) return `A path may not begin with ${ownPrefix}`;
  if (name === 'all' || name === 'all_others') return `A path may not be named ${name}`;
  if (!/^[A-Za-z0-9_\-./]{1,255}$/.test(name)) return 'The media server takes letters, digits and - . _ only';
  if (name.split('/').some((part) => ['', '.', '..'].includes(part))) return 'A path may not be made of dots alone';
  return null;
}

/** Name of a camera's n-th feed under a lease: `trigate/<camera>/<fence>-<n>`. */
export const feedName = (camera: string, fence: number, n: number): string => `${ownPrefix}${camera}/${fence}-${n}`;

/** What `feedName` was made from; null for any other name. */
export function readFeedName(name: string): { camera: string; fence: number; n: number } | null {
  const [, camera, fence, n] = /^trigate\/([A-Za-z0-9_-]{1,128})\/(\d{1,15})-(\d{1,15})$/.exec(name) ?? [];
  return camera && fence && n ? { camera, fence: Number(fence), n: Number(n) } : null;
}

/** Name of a path that does nothing: it is there as long as the server has our paths. */
export const canaryName = (installation: string): string => `${ownPrefix}canary-${installation}`;

const hook = (context: HookContext, path: string) => (event: HookEvent) => hookCommand(context, event, path);

export interface ViewerOptions {
  /** Seconds for which readers wait for a feed. */
  startTimeout: number;
  /** Seconds for which a feed goes on after its last reader. */
  closeAfter: number;
}

/** A path that is fed by who publishes there as long as somebody reads. */
function demandedPath(on: ReturnType<typeof hook>, { startTimeout, closeAfter }: ViewerOptions): PathConf {
  return {
    source: 'publisher',
    overridePublisher: true,
    runOnDemand: on('demand'),
    runOnDemandStartTimeout: duration(startTimeout),
    runOnDemandCloseAfter: duration(closeAfter),
    runOnUnDemand: on('unDemand'),
    runOnRead: on('read'),
    runOnUnread: on('unread'),
  };
}

/** The path readers open. It is fed by whoever publishes on it: a feed path's forward. */
export function viewerPath(context: HookContext, name: string, options: ViewerOptions): PathConf {
  const on = hook(context, name);
  return { ...demandedPath(on, options), runOnAvailable: on('ready'), runOnUnavailable: on('notReady') };
}

export interface Feed {
  /** `feedName` */
  name: string;
  /** rtsp(s):// or whep(s):// */
  source: string;
  /** Bearer of a WHEP source. */
  bearer?: string;
  /** Viewer path it feeds. */
  viewer: string;
  /** Password of the forward, by which it may publish there. */
  token: string;
  /** Where the media server reaches its own RTSP: `127.0.0.1:8554`. */
  rtsp: string;
}

/**
 * The path that pulls a source and forwards it to the viewer path. Its `ready` and `notReady` say whether the source
 * delivers. Changing its `forward` alone keeps the stream; any other change breaks it.
 */
export function feedPath(context: HookContext, { name, source, bearer, viewer, token, rtsp }: Feed): PathConf {
  const on = hook(context, name);
  return {
    // `$G1` and `$MTX_QUERY` would be replaced.
    source: source.replaceAll('$', '%24'),
    sourceOnDemand: false,
    rtspTransport: 'tcp',
    ...(bearer && { whepBearerToken: bearer }),
    forward: [{ dest: `rtsp://feed:${encodeURIComponent(token)}@${rtsp}/${viewer}` }],
    runOnAvailable: on('ready'),
    runOnUnavailable: on('notReady'),
  };
}

/**
 * The path of every name that is free: who asks for a camera that is gone or disabled is asked about too, as the media
 * server refuses a name without a path by itself. Of expressions that match it is the last.
 */
export function freePath(context: HookContext, options: ViewerOptions): PathConf {
  return demandedPath(hook(context, freePathName), options);
}

/** MediaMTX takes one of these names for the same path (`all_others, all and '~^.*$' are aliases`). */
const freePathNames = [freePathName, 'all', '~^.*$'];

/** Whether free names are somebody else's business on a server. */
export const hasForeignFreePath = (found: ReadonlyMap<string, object>, installation: string): boolean =>
  freePathNames.some((name) => {
    const there = found.get(name);
    return there !== undefined && !isOurs(there, installation);
  });

/** Nobody can read it, as nobody may publish on it. */
export const canaryPath = (context: HookContext): PathConf => ({
  source: 'publisher',
  runOnUnavailable: hookCommand(context, 'notReady', canaryName(context.installation)),
});

/** Whether a configuration was made by this installation: one of its hooks says so. */
export function isOurs(found: object, installation: string): boolean {
  const marker = hookMarker(installation);
  return Object.entries(found).some(
    ([key, value]) => key.startsWith('runOn') && typeof value === 'string' && value.includes(marker),
  );
}

export interface Difference {
  add: string[];
  replace: string[];
  delete: string[];
  /** Wanted, but taken by a path that is not ours. */
  taken: string[];
}

/** What brings a server from the paths that were found to those that are wanted. Foreign paths are left alone. */
export function difference(
  wanted: ReadonlyMap<string, PathConf>,
  found: ReadonlyMap<string, object>,
  installation: string,
): Difference {
  const result: Difference = { add: [], replace: [], delete: [], taken: [] };
  for (const [name, conf] of wanted) {
    const there = found.get(name);
    if (!there) result.add.push(name);
    else if (!isOurs(there, installation)) result.taken.push(name);
    else if (!holds(there, comparable(name, conf))) result.replace.push(name);
  }
  for (const [name, there] of found) {
    if (!wanted.has(name) && isOurs(there, installation)) result.delete.push(name);
  }
  return result;
}

/** The token in a feed's source changes with each extension, and a replaced path would drop the stream that goes on. */
function comparable(name: string, conf: PathConf): object {
  const { source, ...rest } = conf;
  return readFeedName(name) ? rest : { source, ...rest };
}

/**
 * The order in which paths are added: those that are watched first, and of these the viewer's before the feed's, as a
 * forward that finds no path tries again only 5 s later.
 */
export function byUrgency(names: readonly string[], wanted: ReadonlyMap<string, PathConf>): string[] {
  const watched = new Set([...wanted.values()].flatMap(({ forward = [] }) => forward.map(({ dest }) => pathOf(dest))));
  const rank = (name: string) => (watched.has(name) ? 0 : wanted.get(name)?.forward ? 1 : 2);
  return names.toSorted((one, other) => rank(one) - rank(other));
}

/** `door` of `rtsp://feed:token@127.0.0.1:8554/door` */
const pathOf = (dest: string): string => dest.replace(/^\w+:\/\/[^/]*\//, '');

/** Whether what was found has every wanted key, whatever else the server filled in. */
export const holds = (found: object, wanted: object): boolean =>
  Object.entries(wanted).every(([key, value]) => same((found as Record<string, unknown>)[key], value));

function same(found: unknown, wanted: unknown): boolean {
  if (found === wanted || found === '<redacted>') return true;
  if (Array.isArray(wanted)) {
    if (!Array.isArray(found) || found.length !== wanted.length) return false;
    return wanted.every((item, index) => same(found[index], item));
  }
  if (isObject(wanted)) return isObject(found) && holds(found, wanted);
  if (typeof wanted !== 'string' || typeof found !== 'string') return false;
  const [one, other] = [milliseconds(found), milliseconds(wanted)];
  return one !== null && one === other;
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

/** Seconds in the spelling of MediaMTX. */
const duration = (seconds: number): string => `${seconds}s`;

const units = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000, ms: 1 } as const;

/** `1m0s` and `60s` are the same. */
function milliseconds(text: string): number | null {
  if (!/^(\d+(\.\d+)?(d|h|ms|m|s))+$/.test(text)) return null;
  let sum = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(d|h|ms|m|s)/g)) {
    sum += Number(amount) * units[unit as keyof typeof units];
  }
  return Math.round(sum);
}
