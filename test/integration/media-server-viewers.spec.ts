import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { cleanUp } from '../servers/clean-up.ts';
import { addPath, api, kinds, livePath, startAuthServer, startHookLog, write } from '../servers/media-server.suite.ts';
import { type MediaServer, startMediaServer } from '../servers/media-server.ts';
import { decodeFrames, publishPattern } from '../servers/video.ts';
import { eventually } from '../system/clients/wait.ts';

const later = cleanUp();

async function publish(url: string, options = {}) {
  const pattern = await publishPattern(url, options);
  later(() => pattern.kill('SIGKILL'));
  return pattern;
}

describe.each(kinds)('HLS of $kind', ({ real }) => {
  const basic = (user: string) => ({ headers: { authorization: `Basic ${Buffer.from(user).toString('base64')}` } });

  test('asks about each fetch of the index only, lists its viewers, and lets them be kicked', async () => {
    const auth = await startAuthServer(({ user, action }) => user === 'ann' || action === 'publish');
    later(auth.close);
    const hooks = await startHookLog();
    later(hooks.remove);
    const hls = { runOnRead: hooks.command('read'), runOnUnread: hooks.command('unread') };
    const server = await startMediaServer({ real, authUrl: auth.url, paths: { door: hls } });
    later(server.stop);
    const index = `${server.hlsUrl}/door/index.m3u8?x=1`;
    await publish(`${server.rtspUrl}/door`);
    auth.calls.length = 0;
    const first = await fetch(index, { redirect: 'manual' });
    expect([first.status, first.headers.get('location')]).toEqual([302, '/door/index.m3u8?cookieCheck=1&x=1']);
    const asked = await fetch(index);
    expect([asked.status, asked.headers.get('www-authenticate')]).toEqual([401, 'Basic realm="mediamtx"']);
    expect(auth.calls).toEqual([
      expect.objectContaining({ action: 'read', path: 'door', protocol: 'hls', query: 'x=1', user: '', token: '' }),
    ]);
    const answer = await fetch(index, basic('ann:secret'));
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/vnd.apple.mpegurl']);
    const name = (await answer.text()).split('\n').find((line) => /^[^#].*m3u8/.test(line)) ?? '';
    expect(name).toMatch(/\?session=[0-9a-f-]{36}&x=1$/);
    const media = await fetch(`${server.hlsUrl}/door/${name}`);
    expect(media.status).toBe(200);
    expect(await media.text()).toMatch(/#EXTINF:[\s\S]*\.(ts|mp4)\?session=/);
    expect(auth.calls).toHaveLength(2);
    const { readers } = await livePath(server, 'door');
    expect(readers).toEqual([{ type: 'hlsSession', id: auth.calls[1]?.id }]);
    const sessions = (await api(server, 'GET', 'hlssessions/list')).body.items;
    expect(sessions).toEqual([expect.objectContaining({ id: readers[0].id, path: 'door', query: 'x=1', user: 'ann' })]);
    expect((await api(server, 'GET', 'hlsmuxers/get/door')).body).toMatchObject({ path: 'door' });
    expect((await api(server, 'POST', `hlssessions/kick/${readers[0].id}`)).status).toBe(200);
    expect((await fetch(`${server.hlsUrl}/door/${name}`)).status).toBe(401);
    const traces = ['read - door x%3D1 hlsSession -', 'unread - door x%3D1 hlsSession -'];
    expect(await eventually(hooks.lines, (lines) => lines.length === 2, 5_000)).toEqual(traces);
  }, 30_000);

  test('plays, and ends with the stream', async () => {
    const server = await startMediaServer({ real, paths: { door: {} } });
    later(server.stop);
    const pattern = await publish(`${server.rtspUrl}/door`, { audio: true });
    expect(await decodeFrames(`${server.hlsUrl}/door/index.m3u8`, 15, 25_000)).toMatchObject({ frames: 15 });
    await pattern.stop();
    const muxers = () => api(server, 'GET', 'hlsmuxers/list');
    await eventually(muxers, ({ body }) => body.itemCount === 0, 5_000);
    expect((await api(server, 'GET', 'hlssessions/list')).body.items).toEqual([]);
  }, 40_000);

  test('waits for a publisher, ends its muxer some time after the last fetch, and demand after that', async () => {
    const hooks = await startHookLog();
    later(hooks.remove);
    const door = {
      runOnDemand: hooks.command('demand'),
      runOnUnDemand: hooks.command('undemand'),
      runOnDemandCloseAfter: '1s',
    };
    const server = await startMediaServer({ real, paths: { door }, config: { hlsMuxerCloseAfter: '2s' } });
    later(server.stop);
    const fetched = fetch(`${server.hlsUrl}/door/index.m3u8`);
    await eventually(hooks.lines, (lines) => lines.length === 1, 5_000);
    await publish(`${server.rtspUrl}/door`);
    expect((await fetched).status).toBe(200);
    await eventually(hooks.lines, (lines) => lines.includes('undemand - door - - -'), 10_000);
    expect((await api(server, 'GET', 'hlsmuxers/list')).body.items).toEqual([]);
  }, 30_000);

  test('is refused: 404 where nobody publishes, 500 where nothing is configured or nobody came in time', async () => {
    const vain = { runOnDemand: 'true', runOnDemandStartTimeout: '300ms' };
    const server = await startMediaServer({ real, paths: { empty: {}, vain } });
    later(server.stop);
    const answers = ['empty', 'unknown', 'vain'].map(async (name) => {
      const response = await fetch(`${server.hlsUrl}/${name}/index.m3u8`);
      return [response.status, await response.json()];
    });
    expect(await Promise.all(answers)).toEqual([
      [404, { status: 'error', error: "no stream is available on path 'empty'" }],
      [500, { status: 'error', error: "path 'unknown' is not configured" }],
      [500, { status: 'error', error: "source of path 'vain' has timed out" }],
    ]);
    expect((await fetch(`${server.hlsUrl}/empty/`)).status).toBe(200);
    expect((await fetch(`${server.hlsUrl}/empty`, { redirect: 'manual' })).headers.get('location')).toBe('/empty/');
    expect((await fetch(`${server.hlsUrl}/empty/stream.m3u8`)).status).toBe(401);
  });
});

describe.each(kinds)('hooks of $kind', ({ real }) => {
  let server: MediaServer;

  beforeAll(async () => {
    server = await startMediaServer({ real });
  });
  afterAll(() => server.stop());

  test('tell of demand, of the stream and of readers, and hold a reader until somebody publishes', async () => {
    const hooks = await startHookLog();
    later(hooks.remove);
    await addPath(server, 'door', {
      runOnDemand: hooks.command('demand', '$MTX_PATH of $RTSP_PORT'),
      runOnUnDemand: hooks.command('undemand'),
      runOnDemandCloseAfter: '300ms',
      runOnAvailable: hooks.command('available'),
      runOnUnavailable: hooks.command('unavailable'),
      runOnRead: hooks.command('read'),
      runOnUnread: hooks.command('unread'),
    });
    const reading = decodeFrames(`${server.rtspUrl}/door?token=a+b&x=1`, 5);
    const port = new URL(server.rtspUrl.replace('rtsp', 'http')).port;
    const query = 'token%3Da%2Bb%26x%3D1';
    await eventually(hooks.lines, (lines) => lines.includes(`demand door of ${port} door ${query} - -`), 5_000);
    const pattern = await publish(`${server.rtspUrl}/door`);
    expect((await reading).frames).toBe(5);
    await eventually(hooks.lines, (lines) => lines.some((line) => line.startsWith('undemand')), 5_000);
    await pattern.stop();
    const lines = await eventually(hooks.lines, (all) => all.length === 6, 5_000);
    expect([...lines].sort()).toEqual([
      'available - door - - rtspSession',
      `demand door of ${port} door ${query} - -`,
      `read - door ${query} rtspSession -`,
      'unavailable - door - - rtspSession',
      `undemand - door ${query} - -`,
      `unread - door ${query} rtspSession -`,
    ]);
  }, 30_000);

  test('call for a publisher in vain: the reader is refused, and demand ends', async () => {
    const hooks = await startHookLog();
    later(hooks.remove);
    await addPath(server, 'vain', {
      runOnDemand: hooks.lasting('demand'),
      runOnUnDemand: hooks.command('undemand'),
      runOnDemandStartTimeout: '1s',
    });
    const begun = Date.now();
    expect((await decodeFrames(`${server.rtspUrl}/vain`)).error).toContain('400 Bad Request');
    expect(Date.now() - begun).toBeGreaterThan(900);
    const lines = await eventually(hooks.lines, (all) => all.length === 3, 5_000);
    expect([...lines].sort()).toEqual(['demand start', 'demand stop', 'undemand - vain - - -']);
  });

  test('that last are interrupted when their path goes', async () => {
    const hooks = await startHookLog();
    later(hooks.remove);
    await addPath(server, 'lasting', { runOnInit: hooks.lasting('init') });
    await eventually(hooks.lines, (lines) => lines.includes('init start'), 5_000);
    await write(server, 'DELETE', 'config/paths/delete/lasting');
    await eventually(hooks.lines, (lines) => lines.includes('init stop'), 5_000);
  });

  test('of one expression know its groups', async () => {
    const hooks = await startHookLog();
    later(hooks.remove);
    await addPath(server, '~^room-(.+)$', { runOnAvailable: hooks.command('available', '$G1') });
    const pattern = await publish(`${server.rtspUrl}/room-blue`);
    expect(await livePath(server, 'room-blue')).toMatchObject({ confName: '~^room-(.+)$', available: true });
    await eventually(hooks.lines, (lines) => lines.includes('available blue room-blue - - rtspSession'), 5_000);
    await pattern.stop();
    await eventually(
      () => api(server, 'GET', 'paths/get/room-blue'),
      ({ status }) => status === 404,
      5_000,
    );
  });
});

describe.each(kinds)('the path of $kind for all other names', ({ real }) => {
  test('is asked about, calls for a publisher by the name, and ends for a name that gets a path of its own', async () => {
    const auth = await startAuthServer(({ user }) => user === 'ann');
    later(auth.close);
    const hooks = await startHookLog();
    later(hooks.remove);
    const fields = { runOnDemand: hooks.command('demand', '$MTX_PATH'), runOnUnDemand: hooks.command('undemand') };
    const server = await startMediaServer({ real, authUrl: auth.url, paths: { all_others: fields } });
    later(server.stop);
    const free = (user: string) => `${server.rtspUrl.replace('//', `//${user}:secret@`)}/free`;
    expect((await decodeFrames(free('eve'), 1)).error).toContain('401');
    const reading = decodeFrames(free('ann'), 1_000, 20_000);
    await eventually(hooks.lines, (lines) => lines.includes('demand free free - - -'), 5_000);
    expect(auth.calls.map(({ action, path }) => `${action} ${path}`)).toContain('read free');
    const pattern = await publish(free('ann'));
    const live = await eventually(
      () => livePath(server, 'free'),
      ({ readers }) => readers?.length === 1,
      5_000,
    );
    expect(live).toMatchObject({ confName: 'all_others', available: true });
    await addPath(server, 'free', { runOnDemand: hooks.command('own') });
    expect((await reading).frames).toBeLessThan(1_000);
    await eventually(hooks.lines, (lines) => lines.includes('undemand - free - - -'), 5_000);
    expect(await livePath(server, 'free')).toMatchObject({ confName: 'free', available: false, readers: [] });
    await pattern.stop();
  }, 60_000);

  test('has one of three words', async () => {
    const server = await startMediaServer({ real, paths: { all: {} } });
    later(server.stop);
    const error = "all_others, all and '~^.*$' are aliases";
    for (const name of ['all_others', '~^.*$']) {
      const answer = await api(server, 'POST', `config/paths/add/${encodeURIComponent(name)}`, {});
      expect(answer).toEqual({ status: 400, body: { status: 'error', error } });
    }
  });
});

describe.each(kinds)('authentication of $kind over HTTP', ({ real }) => {
  test('asks about each step, with the ids of the sessions', async () => {
    const auth = await startAuthServer(
      ({ user, password, query }) => (user === 'ann' && password === 'secret') || query === 'token=t',
    );
    later(auth.close);
    const server = await startMediaServer({ real, authUrl: auth.url, paths: { door: {} } });
    later(server.stop);
    const withUser = server.rtspUrl.replace('//', '//ann:secret@');
    await publish(`${withUser}/door`);
    const { source } = await livePath(server, 'door');
    const publishing = { action: 'publish', path: 'door', protocol: 'rtsp', id: source.id, ip: '127.0.0.1' };
    expect(auth.calls).toEqual([
      { ...publishing, user: '', password: '', token: '', query: '', userAgent: expect.stringMatching(/^Lavf/) },
      {
        ...publishing,
        user: 'ann',
        password: 'secret',
        token: 'secret',
        query: '',
        userAgent: expect.stringMatching(/^Lavf/),
      },
    ]);
    auth.calls.length = 0;
    const reading = decodeFrames(`${withUser}/door?x=1`, 20);
    const { readers } = await eventually(
      () => livePath(server, 'door'),
      (item) => item.readers.length === 1,
      5_000,
    );
    expect((await reading).frames).toBe(20);
    const [asked, described, setUp, ...others] = auth.calls;
    expect(asked).toMatchObject({ action: 'read', user: '', password: '', token: '', query: 'x=1', userAgent: '' });
    expect(described).toMatchObject({
      action: 'read',
      user: 'ann',
      password: 'secret',
      token: 'secret',
      id: asked?.id,
    });
    expect(setUp).toMatchObject({ action: 'read', user: 'ann', query: 'x=1', id: readers[0].id });
    expect(setUp?.id).not.toBe(asked?.id);
    expect(others).toEqual([]);
    auth.calls.length = 0;
    expect((await decodeFrames(`${server.rtspUrl}/door?token=t`, 3)).frames).toBe(3);
    expect(auth.calls.map(({ token, user }) => [token, user])).toEqual([
      ['t', ''],
      ['t', ''],
    ]);
  }, 30_000);

  test('denies, and asks about no path that is not configured', async () => {
    const auth = await startAuthServer(() => false);
    later(auth.close);
    const server = await startMediaServer({ real, authUrl: auth.url, paths: { door: {} } });
    later(server.stop);
    expect((await decodeFrames(`${server.rtspUrl}/nowhere`)).error).toContain('400 Bad Request');
    expect(auth.calls).toEqual([]);
    expect((await decodeFrames(`${server.rtspUrl}/door`)).error).toContain('401 Unauthorized');
    const withUser = server.rtspUrl.replace('//', '//ann:wrong@');
    expect((await decodeFrames(`${withUser}/door`)).error).toContain('401 Unauthorized');
    await expect(publishPattern(`${withUser}/door`)).rejects.toThrow(/401 Unauthorized/);
    expect((await livePath(server, 'door')).readers).toEqual([]);
  }, 30_000);

  test('guards the API where it is not excluded', async () => {
    const auth = await startAuthServer(({ action, user }) => action === 'api' && user === 'control');
    later(auth.close);
    const server = await startMediaServer({ real, authUrl: auth.url, authExclude: [] });
    later(server.stop);
    const open = await fetch(`${server.apiUrl}/v3/paths/list?x=1`);
    expect([open.status, open.headers.get('www-authenticate')]).toEqual([401, 'Basic realm="mediamtx"']);
    expect(await open.json()).toEqual({ status: 'error', error: 'authentication error' });
    const asked = { action: 'api', path: '', protocol: '', id: null, query: 'x=1', userAgent: '', ip: '127.0.0.1' };
    expect(auth.calls).toEqual([{ ...asked, user: '', password: '', token: '' }]);
    const headers = { authorization: `Basic ${Buffer.from('control:pass').toString('base64')}` };
    expect((await fetch(`${server.apiUrl}/v3/paths/list`, { headers })).status).toBe(200);
  });

  test('denies where the server that is asked does not answer', async () => {
    const server = await startMediaServer({ real, authUrl: 'http://127.0.0.1:1/auth', paths: { door: {} } });
    later(server.stop);
    expect((await decodeFrames(`${server.rtspUrl}/door`)).error).toContain('401 Unauthorized');
  });
});
