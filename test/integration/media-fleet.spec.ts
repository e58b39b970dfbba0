import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import {
  credentialsOf,
  type Feed,
  type Fleet,
  type FleetOptions,
  feedName,
  feedPath,
  type HookCall,
  type HookContext,
  type HookProgram,
  mediaFleet,
  type PathConf,
  readAuthAddress,
  readHook,
  type MediaServer as Seen,
  serverId,
  viewerPath,
  viewerUrls,
} from '../../services/streams/media/index.ts';
import { nodeHook } from '../../services/streams/media/local.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import { cleanUp } from '../servers/clean-up.ts';
import { api, livePath, write } from '../servers/media-server.suite.ts';
import { type MediaServer, mediamtxCommand, startMediaServer } from '../servers/media-server.ts';
import { cameraSource, decodeFrames } from '../servers/video.ts';
import { eventually } from '../system/clients/wait.ts';

const kinds = [
  { kind: 'the stand-in', real: false },
  ...((await mediamtxCommand()) ? [{ kind: 'MediaMTX', real: true }] : []),
];

const later = cleanUp();
const secret = 'sesame';
const token = 'viewers-token';
const feedToken = 'feeds-token';

interface AuthCall {
  server: string | null;
  action: string;
  path: string;
  protocol: string;
  user: string;
  token: string | null;
}

/** What the HTTP gateway is to media servers: it hears hooks, and lets in who has the token. */
async function startCallback() {
  const hooks: (HookCall | null)[] = [];
  const asked: AuthCall[] = [];
  const http = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://callback');
    const [, event] = /^\/api\/media\/hooks\/(\w+)$/.exec(pathname) ?? [];
    if (event) {
      hooks.push(request.method === 'POST' ? readHook(event, searchParams, secret) : null);
      return response.writeHead(204).end();
    }
    const body = JSON.parse(text);
    const call = { ...body, ...credentialsOf(body), server: readAuthAddress(searchParams, secret) };
    asked.push(call);
    const good = body.action === 'publish' ? call.user === 'feed' && call.token === feedToken : call.token === token;
    return response.writeHead(good ? 204 : 401).end();
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  later(() => http.close());
  return { url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`, hooks, asked };
}

interface Installation {
  fleet: Fleet;
  seen: Seen;
  wanted: Map<string, PathConf>;
  events: string[];
  context: HookContext;
  viewer(name: string): PathConf;
  /** As a camera's owner does it: first the store, then the server. */
  put(name: string, conf: PathConf): Promise<void>;
}

interface Options extends Partial<Omit<FleetOptions, 'context'>> {
  installation?: string;
  callback?: string;
  program?: HookProgram;
  cameras?: number;
}

function install(server: MediaServer, options: Options = {}): Installation {
  const { installation = 'one', callback = 'http://127.0.0.1:9', program = 'wget', cameras = 0, ...rest } = options;
  const shared = { callback, installation, secret, program };
  const context = { ...shared, server: serverId(server.apiUrl) };
  const wanted = new Map<string, PathConf>();
  const viewer = (name: string) => viewerPath(context, name, { startTimeout: 20, closeAfter: 1 });
  for (let n = 0; n < cameras; n += 1) wanted.set(`camera-${n}`, viewer(`camera-${n}`));
  const events: string[] = [];
  const fleet = mediaFleet({
    servers: [{ apiUrl: server.apiUrl }],
    context: shared,
    wanted: async () => wanted,
    log: silentLog,
    ...rest,
  });
  for (const event of ['alive', 'dead', 'restarted'] as const) fleet.on(event, () => events.push(event));
  fleet.start();
  later(() => fleet.stop());
  const [seen] = fleet.servers as [Seen];
  return {
    fleet,
    seen,
    wanted,
    events,
    context,
    viewer,
    put: (name, conf) => {
      wanted.set(name, conf);
      return seen.put(name, conf);
    },
  };
}

/** Names of the configured paths. */
async function names(server: MediaServer): Promise<string[]> {
  const { body } = await api(server, 'GET', 'config/paths/list?itemsPerPage=10000');
  return body.items.map(({ name }: { name: string }) => name).toSorted();
}
/** Its API is away for a moment while it takes on new globals. */
const has = (server: MediaServer, name: string) => () =>
  names(server).then(
    (all) => all.includes(name),
    () => false,
  );
const isTrue = (value: boolean) => value;
const callsOf = (seen: Seen) => [...seen.api.calls].reduce((sum, [route, n]) => sum + (route === 'info' ? 0 : n), 0);

describe.each(kinds)('a fleet with $kind', ({ real }) => {
  let server: MediaServer;
  beforeAll(async () => {
    server = await startMediaServer({ real, paths: { fixed: { maxReaders: 3 } } });
  });
  afterAll(() => server.stop());
  beforeEach(() => server.restart());

  test('takes a server over: it asks us who may read, has the wanted paths, and keeps its own', async () => {
    const ours = install(server, { cameras: 2 });
    await eventually(has(server, 'trigate/canary-one'), isTrue, 10_000);
    expect(await names(server)).toEqual(['camera-0', 'camera-1', 'fixed', 'trigate/canary-one']);
    expect((await api(server, 'GET', 'config/paths/get/fixed')).body.maxReaders).toBe(3);
    const globals = (await api(server, 'GET', 'config/global/get')).body;
    expect(globals).toMatchObject({ authMethod: 'http' });
    expect(globals.authHTTPAddress).toContain('http://127.0.0.1:9/api/media/auth?installation=one&');
    expect(ours.seen).toMatchObject({ alive: true, problem: null, host: '127.0.0.1' });
    expect(ours.seen.rtsp).toBe(server.rtspUrl.slice('rtsp://'.length));
    expect(ours.seen.protocols?.rtsp).toEqual({ port: Number(new URL(server.rtspUrl).port), secure: false });
  });

  test.each([5, 60])('a change is one call, with %d cameras', async (cameras) => {
    const ours = install(server, { cameras, timing: { intact: 60_000 } });
    await eventually(has(server, 'trigate/canary-one'), isTrue, 20_000);
    const before = callsOf(ours.seen);
    await ours.put('more', ours.viewer('more'));
    expect(callsOf(ours.seen) - before).toBe(1);
    await ours.put('more', viewerPath(ours.context, 'more', { startTimeout: 30, closeAfter: 1 }));
    expect(callsOf(ours.seen) - before).toBe(2);
    ours.wanted.delete('more');
    await ours.seen.remove('more');
    expect(callsOf(ours.seen) - before).toBe(3);
    await eventually(has(server, 'more'), (there) => !there, 5_000);
  });

  test('paths that vanish with a change of the configuration file are back within seconds', async () => {
    const ours = install(server, { cameras: 3 });
    await eventually(has(server, 'trigate/canary-one'), isTrue, 10_000);
    await writeFile(server.configFile, `${await readFile(server.configFile, 'utf8')}\n`);
    await eventually(
      async () => ours.events,
      (events) => events.includes('restarted'),
      10_000,
    );
    expect(ours.events).toEqual(['alive', 'restarted']);
    expect(await names(server)).toContain('camera-2');
    expect((await api(server, 'GET', 'config/global/get')).body.authMethod).toBe('http');
  });

  test('paths are back after a restart too short to be missed, and one too long', async () => {
    const ours = install(server, { cameras: 3 });
    await eventually(has(server, 'trigate/canary-one'), isTrue, 10_000);
    await server.kill();
    await server.restart();
    await eventually(
      async () => ours.events,
      (events) => events.includes('restarted'),
      10_000,
    );
    expect(await names(server)).toContain('camera-2');

    await server.kill();
    await eventually(
      async () => ours.seen.alive,
      (is) => !is,
      10_000,
    );
    expect(ours.seen.problem).toMatch(/cannot be reached/);
    await expect(ours.seen.put('x', ours.viewer('x'))).rejects.toMatchObject({ kind: 'unreachable' });
    await server.restart();
    await eventually(
      async () => ours.events.slice(2),
      (events) => events.length === 3,
      10_000,
    );
    expect(ours.events.slice(2)).toEqual(['dead', 'alive', 'restarted']);
    expect(await names(server)).toContain('camera-2');
  });

  test('what was changed or added behind our back is set right at the next comparison, what is foreign is left', async () => {
    const ours = install(server, { cameras: 2, timing: { all: 500 } });
    await eventually(has(server, 'trigate/canary-one'), isTrue, 10_000);
    await write(server, 'PATCH', 'config/paths/patch/camera-0', { runOnDemand: '' });
    await write(server, 'DELETE', 'config/paths/delete/camera-1');
    await write(server, 'POST', 'config/paths/add/stale', ours.viewer('stale'));
    await write(server, 'POST', 'config/paths/add/trigate/theirs', { runOnRead: 'true' });
    await eventually(has(server, 'stale'), (there) => !there, 10_000);
    await eventually(has(server, 'camera-1'), isTrue, 10_000);
    const path = async () => (await api(server, 'GET', 'config/paths/get/camera-0')).body;
    await eventually(path, ({ runOnDemand }) => runOnDemand !== '', 10_000);
    expect(await names(server)).toContain('trigate/theirs');
  });

  test('a path of the server is not taken for a camera of the same name, nor removed with it', async () => {
    const ours = install(server);
    await eventually(has(server, 'trigate/canary-one'), isTrue, 10_000);
    await expect(ours.put('fixed', ours.viewer('fixed'))).rejects.toMatchObject({ kind: 'refused' });
    await ours.seen.reconcile();
    ours.wanted.delete('fixed');
    await ours.seen.remove('fixed');
    // The server takes on what it is told in order.
    await ours.put('later', ours.viewer('later'));
    await eventually(has(server, 'later'), isTrue, 10_000);
    const { body } = await api(server, 'GET', 'config/paths/get/fixed');
    expect(body).toMatchObject({ maxReaders: 3, runOnDemand: '' });
  });

  test('a server of another Trigate is not used, and says why', async () => {
    const first = install(server);
    await eventually(has(server, 'trigate/canary-one'), isTrue, 10_000);
    const second = install(server, { installation: 'two', cameras: 1 });
    await eventually(
      async () => second.seen.problem,
      (problem) => /another trigate/i.test(problem ?? ''),
      10_000,
    );
    expect(second.seen.alive).toBe(false);
    expect(await names(server)).toEqual(['fixed', 'trigate/canary-one']);
    expect(first.events).toEqual(['alive']);
  });

  test('processes that share an installation take a server over at once, and neither gets in the way of the other', async () => {
    const all = [1, 2, 3].map(() => install(server, { cameras: 20, timing: { all: 1_000 } }));
    for (const one of all) await eventually(async () => one.seen.alive, isTrue, 10_000);
    await Promise.all(all.map(({ seen }) => seen.reconcile()));
    for (const one of all) one.wanted.set('more', one.viewer('more'));
    await Promise.all(all.map(({ seen, viewer }) => seen.put('more', viewer('more'))));
    await Promise.all(all.map(({ seen }) => seen.reconcile()));
    expect(await names(server)).toHaveLength(20 + ['fixed', 'more', 'canary'].length);
    expect(all.map(({ events }) => events)).toEqual([['alive'], ['alive'], ['alive']]);
  });

  test('a path the server refuses does not keep the others out', async () => {
    const ours = install(server);
    ours.wanted.set('bad', { source: 'nonsense' });
    ours.wanted.set('good', ours.viewer('good'));
    await eventually(has(server, 'trigate/canary-one'), isTrue, 10_000);
    expect(await names(server)).toEqual(['fixed', 'good', 'trigate/canary-one']);
    await expect(ours.put('bad', { source: 'nonsense' })).rejects.toMatchObject({ kind: 'refused' });
  });

  test('a camera that is demanded is fed, and only who has the token watches it', async () => {
    const callback = await startCallback();
    const camera = await cameraSource({ user: 'admin', password: 'pa$$word' });
    later(() => camera.stop());
    const ours = install(server, { callback: callback.url, cameras: 1 });
    await eventually(has(server, 'camera-0'), isTrue, 10_000);
    const { rtsp } = viewerUrls('127.0.0.1', ours.seen.protocols as never, 'camera-0', token);
    const watching = decodeFrames(rtsp as string, 5, 20_000);
    const told = async () => callback.hooks.map((hook) => `${hook?.event} ${hook?.path}`);
    await eventually(told, (hooks) => hooks.includes('demand camera-0'), 10_000);
    const name = feedName('c1', 1, 1);
    const feed: Feed = {
      name,
      source: camera.url,
      viewer: 'camera-0',
      token: feedToken,
      rtsp: ours.seen.rtsp as string,
    };
    await ours.put(name, feedPath(ours.context, feed));
    expect(await watching).toMatchObject({ frames: 5 });
    const hooks = await eventually(told, (list) => list.includes('unDemand camera-0'), 10_000);
    expect(hooks).toEqual(
      expect.arrayContaining([`ready ${name}`, 'ready camera-0', 'read camera-0', 'unread camera-0']),
    );
    expect(new Set(callback.asked.map((call) => call.server))).toEqual(new Set([ours.seen.id]));
    const stranger = viewerUrls('127.0.0.1', ours.seen.protocols as never, 'camera-0', 'wrong').rtsp as string;
    expect(await decodeFrames(stranger, 1, 8_000)).toMatchObject({ frames: 0 });

    const live = (
      await eventually(
        () => ours.seen.paths(),
        (paths) => paths.has(name),
        5_000,
      )
    ).get(name);
    expect(live).toMatchObject({ available: true, tracks: [{ codec: 'H264', props: { width: 320, height: 240 } }] });
    expect((await ours.seen.sessions()).map(({ path }) => path)).toContain('camera-0');
    ours.wanted.delete(name);
    await ours.seen.remove(name);
    await eventually(
      () => livePath(server, 'camera-0'),
      ({ available }) => !available,
      10_000,
    );
    await eventually(told, (list) => list.includes(`notReady ${name}`), 10_000);
  });

  test.each([
    ['wget', 'wget' as const],
    ['curl', 'curl' as const],
    ['our own script', nodeHook()],
  ])(
    'what a reader puts into its query reaches us through %s as it was, and nothing else with it',
    async (_by, program) => {
      const callback = await startCallback();
      const ours = install(server, { callback: callback.url, program, cameras: 1 });
      await eventually(has(server, 'camera-0'), isTrue, 10_000);
      const odd = `token=${token}&x=a%20b%26signature%3D00&y='$HOME;id'`;
      void decodeFrames(`${server.rtspUrl}/camera-0?${odd}`, 1, 4_000);
      const [hook] = await eventually(
        async () => callback.hooks,
        (hooks) => hooks.length > 0,
        10_000,
      );
      expect(hook).toMatchObject({ event: 'demand', server: ours.seen.id, path: 'camera-0' });
      const query = new URLSearchParams(hook?.query);
      expect([...query.keys()]).toEqual(['token', 'x', 'y']);
      expect(query.get('x')).toBe('a b&signature=00');
      expect(query.get('y')).toBe("'$HOME;id'");
    },
  );
});
