import { describe, expect, test } from '@jest/globals';
import type { HookContext } from './hooks.rules.ts';
import {
  byUrgency,
  canaryName,
  canaryPath,
  difference,
  feedName,
  feedPath,
  freePath,
  hasForeignFreePath,
  isOurs,
  type PathConf,
  readFeedName,
  viewerNameProblem,
  viewerPath,
} from './paths.rules.ts';

const context: HookContext = {
  callback: 'http://gateway:3000',
  installation: 'one',
  server: 'a1b2',
  secret: 'sesame',
  program: 'wget',
};
const viewer = (name: string, of = context) => viewerPath(of, name, { startTimeout: 60, closeAfter: 10 });
const feed = (token = 't-1') =>
  feedPath(context, {
    name: 'trigate/c1/3-1',
    source: 'rtsp://user:pa$G1ss@10.0.0.9/stream',
    viewer: 'door',
    token,
    rtsp: '127.0.0.1:8554',
  });
/** As the server shows it: everything filled in. */
const shown = (name: string, conf: object, over: object = {}) => ({
  name,
  sourceFingerprint: '',
  maxReaders: 0,
  recordDeleteAfter: '1d',
  runOnInit: '',
  forward: [],
  ...conf,
  ...over,
});
const found = (...items: { name: string }[]) => new Map(items.map((item) => [item.name, item]));
const wanted = (items: Record<string, PathConf>) => new Map(Object.entries(items));
const none = { add: [], replace: [], delete: [], taken: [] };

describe('names of paths', () => {
  test.each(['front-door', 'A.b_c', 'x'])('%s can be a path', (name) => {
    expect(viewerNameProblem(name)).toBeNull();
  });

  test.each(['trigate/x/1-1', 'a~b', '~all', 'all', 'all_others', '.', '..', 'a b', '/a', 'a/', 'ä', ''])(
    '%j cannot be a path of a camera',
    (name) => {
      expect(viewerNameProblem(name)).toMatch(/\w/);
    },
  );

  test('the name of a feed tells camera, fence and number again', () => {
    expect(readFeedName(feedName('0c-4f', 17, 2))).toEqual({ camera: '0c-4f', fence: 17, n: 2 });
    expect(readFeedName('door')).toBeNull();
    expect(readFeedName(canaryName('one'))).toBeNull();
  });
});

describe('configurations of paths', () => {
  test('a feed pulls its source at once and forwards it to the viewer path on the same server', () => {
    expect(feed()).toMatchObject({
      source: 'rtsp://user:pa%24G1ss@10.0.0.9/stream',
      sourceOnDemand: false,
      rtspTransport: 'tcp',
      forward: [{ dest: 'rtsp://feed:t-1@127.0.0.1:8554/door' }],
    });
  });

  test("free names are somebody else's where any of the server's words for them is", () => {
    const ours = freePath(context, { startTimeout: 10, closeAfter: 10 });
    expect(hasForeignFreePath(found(shown('all_others', ours), shown('~^cam', {})), 'one')).toBe(false);
    for (const name of ['all_others', 'all', '~^.*$']) {
      expect(hasForeignFreePath(found(shown(name, {})), 'one')).toBe(true);
    }
  });

  test('viewer, feed and canary are known as ours, and only to their own installation', () => {
    for (const conf of [viewer('door'), feed(), canaryPath(context)]) {
      expect(isOurs(conf, 'one')).toBe(true);
      expect(isOurs(conf, 'on')).toBe(false);
      expect(isOurs(conf, 'other')).toBe(false);
    }
  });
});

test('what is watched is added first, the path of viewers before its feed, and the canary last', () => {
  const canary = canaryName('one');
  const want = wanted({
    a: viewer('a'),
    'trigate/c1/3-1': feed(),
    b: viewer('b'),
    door: viewer('door'),
    [canary]: canaryPath(context),
  });
  expect(byUrgency([...want.keys()], want)).toEqual(['door', 'trigate/c1/3-1', 'a', 'b', canary]);
});

describe('the difference between wanted and found', () => {
  test('there is none where the server filled in defaults and spells durations its own way', () => {
    const there = shown('door', viewer('door'), { runOnDemandStartTimeout: '1m0s' });
    expect(difference(wanted({ door: viewer('door') }), found(there), 'one')).toEqual(none);
  });

  test('there is none where the server hides or fills in parts of what was set', () => {
    const forward = feed().forward?.map((item) => ({ ...item, destFingerprint: '', whipBearerToken: '' }));
    const there = shown('trigate/c1/3-1', feed(), { source: '<redacted>', forward });
    expect(difference(wanted({ 'trigate/c1/3-1': feed() }), found(there), 'one')).toEqual(none);
  });

  test('what is missing is added, what differs replaced, what is no longer wanted deleted', () => {
    const there = found(
      shown('old', viewer('old')),
      shown('door', viewer('door'), { runOnDemandCloseAfter: '11s' }),
      shown('trigate/c1/3-1', feed()),
    );
    const want = wanted({ door: viewer('door'), new: viewer('new'), 'trigate/c1/3-1': feed('t-2') });
    expect(difference(want, there, 'one')).toEqual({
      add: ['new'],
      replace: ['door', 'trigate/c1/3-1'],
      delete: ['old'],
      taken: [],
    });
  });

  test('a feed goes on with the source it began with, whose token is another after each extension', () => {
    const old = { ...feed(), source: 'rtsps://google.example/1?auth=old' };
    const there = found(shown('trigate/c1/3-1', old));
    expect(difference(wanted({ 'trigate/c1/3-1': feed() }), there, 'one')).toEqual(none);
  });

  test('a hook that calls another address is replaced, as it is still ours', () => {
    const there = found(shown('door', viewer('door', { ...context, callback: 'http://elsewhere' })));
    expect(difference(wanted({ door: viewer('door') }), there, 'one')).toEqual({ ...none, replace: ['door'] });
  });

  test('paths of the server and of another Trigate are neither deleted nor replaced', () => {
    const other = { ...context, installation: 'two' };
    const there = found(
      shown('mine', { source: 'rtsp://10.0.0.1/' }),
      shown('trigate/x/1-1', { source: 'publisher' }),
      shown('door', viewer('door', other)),
    );
    expect(difference(wanted({ door: viewer('door') }), there, 'one')).toEqual({ ...none, taken: ['door'] });
  });

  test('a list that became shorter or longer differs', () => {
    const there = (forward: unknown) => found(shown('trigate/c1/3-1', feed(), { forward }));
    const want = wanted({ 'trigate/c1/3-1': feed() });
    expect(difference(want, there([]), 'one').replace).toHaveLength(1);
    expect(difference(want, there([...(feed().forward ?? []), { dest: 'rtsp://x' }]), 'one').replace).toHaveLength(1);
    expect(difference(want, there(undefined), 'one').replace).toHaveLength(1);
  });
});
