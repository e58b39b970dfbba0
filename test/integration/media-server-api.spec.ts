import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { cleanUp } from '../servers/clean-up.ts';
import { addPath, api, kinds, livePath, startAuthServer, write } from '../servers/media-server.suite.ts';
import { type MediaServer, startMediaServer } from '../servers/media-server.ts';
import { publishPattern } from '../servers/video.ts';
import { eventually } from '../system/clients/wait.ts';

const later = cleanUp();

async function publish(url: string, options = {}) {
  const pattern = await publishPattern(url, options);
  later(() => pattern.kill('SIGKILL'));
  return pattern;
}

describe.each(kinds)('the control API of $kind', ({ real }) => {
  let server: MediaServer;

  beforeAll(async () => {
    server = await startMediaServer({ real, paths: { fixed: {} } });
  });
  afterAll(() => server.stop());

  test('tells its version and since when it runs', async () => {
    const { status, body } = await api(server, 'GET', 'info');
    expect(status).toBe(200);
    expect(body.version).toMatch(/^v1\.\d+/);
    expect(Date.now() - Date.parse(body.started)).toBeLessThan(60_000);
  });

  test('adds, patches, replaces and deletes paths', async () => {
    await addPath(server, 'api/one', { runOnDemand: 'true', maxReaders: 3 });
    const read = await api(server, 'GET', 'config/paths/get/api/one');
    expect(read).toMatchObject({
      status: 200,
      body: { name: 'api/one', source: 'publisher', maxReaders: 3, forward: [] },
    });
    expect(await api(server, 'POST', 'config/paths/add/api/one', {})).toEqual({
      status: 400,
      body: { status: 'error', error: 'path already exists' },
    });
    expect((await write(server, 'PATCH', 'config/paths/patch/api/one', { maxReaders: 4 })).body).toEqual({
      status: 'ok',
    });
    const patched = (await api(server, 'GET', 'config/paths/get/api/one')).body;
    expect(patched).toMatchObject({ maxReaders: 4, runOnDemand: 'true' });
    await write(server, 'POST', 'config/paths/replace/api/one', { runOnUnavailable: 'true' });
    const replaced = (await api(server, 'GET', 'config/paths/get/api/one')).body;
    expect(replaced).toMatchObject({ maxReaders: 0, runOnDemand: '', runOnUnavailable: 'true' });
    expect((await write(server, 'DELETE', 'config/paths/delete/api/one')).status).toBe(200);
    await eventually(
      () => api(server, 'GET', 'paths/get/api/one'),
      ({ status }) => status === 404,
      2_000,
    );
  });

  test('takes the older names of hooks for the newer ones', async () => {
    await addPath(server, 'older', { runOnReady: 'true', runOnNotReady: 'false' });
    const { body } = await api(server, 'GET', 'config/paths/get/older');
    expect(body).toMatchObject({ runOnAvailable: 'true', runOnUnavailable: 'false', runOnReady: 'true' });
  });

  test('answers in the form in which durations and lists are kept', async () => {
    await addPath(server, 'forms', { runOnDemandCloseAfter: '90s', recordDeleteAfter: '24h', maxReaders: null });
    const { body } = await api(server, 'GET', 'config/paths/get/forms');
    expect(body).toMatchObject({ runOnDemandCloseAfter: '1m30s', recordDeleteAfter: '1d', maxReaders: 0 });
  });

  test.each<[unknown, string]>([
    ['', 'unexpected end of JSON input'],
    ['{"maxReaders":1', 'unexpected end of JSON input'],
    ['{a', "invalid character 'a' looking for beginning of object key string"],
    ['[]', 'json: cannot unmarshal array into Go value of type map[string]json.RawMessage'],
    [{ nothing: 1 }, 'json: unknown field "nothing"'],
    [{ forward: [{ dest: 'rtsp://h/p', to: 1 }] }, 'json: unknown field "forward[0].to"'],
    [{ maxReaders: 'x' }, 'json: cannot unmarshal string into Go value of type int'],
    [{ maxReaders: 1.5 }, 'json: cannot unmarshal number 1.5 into Go value of type int'],
    [{ source: 4 }, 'json: cannot unmarshal number into Go value of type string'],
    [{ runOnDemand: true }, 'json: cannot unmarshal bool into Go value of type string'],
    [{ record: 'x' }, 'json: cannot unmarshal string into Go value of type bool'],
    [{ forward: 'x' }, 'json: cannot unmarshal string into Go value of type []json.RawMessage'],
    [{ runOnDemandCloseAfter: 'soon' }, 'time: invalid duration "soon"'],
    [{ source: 'somewhere' }, "invalid source: 'somewhere'"],
    [{ source: 'rtsp://' }, "'rtsp://' is not a valid URL"],
    [{ source: 'rtsp://user:@host/x' }, 'username and password must be both provided'],
    [{ sourceOnDemand: true }, "'sourceOnDemand' is useless when source is 'publisher'"],
    [
      { source: 'rtsp://host/x', runOnDemand: 'true' },
      "'runOnDemand' and 'runOnUnDemand' can be used only when source is 'publisher'",
    ],
    [{ forward: [{ dest: '' }] }, "invalid 'forward': entry 0: destination is empty"],
    [
      { forward: [{ dest: 'ftp://host/x' }] },
      "invalid 'forward': entry 0: unsupported scheme 'ftp', supported ones are rtmp, rtmps, rtsp, rtsps, srt, whip and whips",
    ],
    [{ recordPath: 'x' }, "'recordPath' must contain %path"],
  ])('refuses %j: %s', async (body, error) => {
    const answer = await api(server, 'POST', 'config/paths/add/refused', body);
    expect(answer).toEqual({ status: 400, body: { status: 'error', error } });
    expect((await api(server, 'GET', 'config/paths/get/refused')).status).toBe(404);
  });

  test.each([
    ['GET', 'config/paths/get/none', 404, 'path configuration not found'],
    ['GET', 'config/paths/get/', 400, 'invalid name'],
    ['PATCH', 'config/paths/patch/none', 404, 'path not found'],
    ['DELETE', 'config/paths/delete/none', 404, 'path not found'],
    [
      'POST',
      'config/paths/add/a%20b',
      400,
      "invalid path name 'a b': can contain only alphanumeric characters, underscore, dot, minus, slash",
    ],
    ['POST', 'config/paths/add/end/', 400, "invalid path name 'end/': can't end with a slash"],
    ['POST', 'config/paths/add/~[', 400, 'invalid regular expression: ['],
    ['GET', 'paths/get/none', 404, 'path not found'],
    ['GET', 'paths/list?itemsPerPage=0', 400, 'invalid items per page'],
    ['GET', 'paths/list?page=x', 400, 'strconv.ParseUint: parsing "x": invalid syntax'],
    ['GET', 'paths/forward/list', 400, 'invalid path'],
    ['GET', 'paths/forward/list?path=none', 404, 'path not found'],
    ['POST', 'rtspsessions/kick/abc', 400, 'invalid UUID length: 3'],
    ['POST', 'rtspsessions/kick/4a7b6cc4-94f6-4cb7-a4f0-9ff8e6b7d1aa', 404, 'session not found'],
    ['GET', 'rtspconns/get/4a7b6cc4-94f6-4cb7-a4f0-9ff8e6b7d1aa', 404, 'connection not found'],
    ['POST', 'rtmpconns/kick/4a7b6cc4-94f6-4cb7-a4f0-9ff8e6b7d1aa', 404, 'connection not found'],
    ['POST', 'webrtcsessions/kick/4a7b6cc4-94f6-4cb7-a4f0-9ff8e6b7d1aa', 404, 'session not found'],
    ['POST', 'hlssessions/kick/4a7b6cc4-94f6-4cb7-a4f0-9ff8e6b7d1aa', 404, 'session not found'],
  ])('answers %s %s with %i: %s', async (method, path, status, error) => {
    const body = method === 'POST' || method === 'PATCH' ? {} : undefined;
    expect(await api(server, method, path, body)).toEqual({ status, body: { status: 'error', error } });
  });

  test.each(['nothing', 'moqsessions/list', 'rtspssessions/list'])('knows no route %s', async (path) => {
    expect(await api(server, 'GET', path)).toEqual({ status: 404, body: '404 page not found' });
  });

  test.each([
    ['authMethod', 'magic', "invalid authMethod: 'magic'"],
    ['authMethod', 'http', "'authHTTPAddress' is empty"],
    [
      'authInternalUsers',
      [{ user: 'ann', pass: 'two words' }],
      'credential contains unsupported characters. Supported are: A-Z,0-9,!,$,(,),*,+,.,;,<,=,>,[,],^,_,-,",",@,#,&',
    ],
    ['authHTTPExclude', [{ action: 'x' }], "invalid auth action: 'x'"],
    ['paths', {}, 'json: unknown field "paths"'],
  ])('refuses a global %s of %j: %s', async (field, value, error) => {
    const answer = await api(server, 'PATCH', 'config/global/patch', { [field]: value });
    expect(answer).toEqual({ status: 400, body: { status: 'error', error } });
  });

  test('lists in pages, sorted by name; a page past the end is empty', async () => {
    for (const name of ['pages/b', 'pages/a', 'pages/c']) await addPath(server, name);
    const all = (await api(server, 'GET', 'config/paths/list')).body;
    const names = all.items.map((item: { name: string }) => item.name);
    expect(names).toEqual([...names].sort());
    expect(names).toEqual(expect.arrayContaining(['fixed', 'pages/a', 'pages/b', 'pages/c']));
    const { body } = await api(server, 'GET', 'config/paths/list?itemsPerPage=2&page=1');
    expect(body).toMatchObject({ itemCount: names.length, pageCount: Math.ceil(names.length / 2) });
    expect(body.items.map((item: { name: string }) => item.name)).toEqual(names.slice(2, 4));
    expect((await api(server, 'GET', 'paths/list?page=99')).body.items).toEqual([]);
  });

  test('lists an idle path, and one whose source is away, as a control plane expects them', async () => {
    await addPath(server, 'away', { source: 'rtsp://127.0.0.1:1/x' });
    const away = await eventually(
      () => livePath(server, 'away'),
      (item) => item.name === 'away',
      2_000,
    );
    expect(away).toMatchObject({ available: false, ready: false, online: true, onlineTime: '0001-01-01T00:00:00Z' });
    expect(away).toMatchObject({ source: { type: 'rtspSource', id: '' }, readers: [], tracks2: [] });
    expect(await livePath(server, 'fixed')).toMatchObject({
      confName: 'fixed',
      available: false,
      online: false,
      source: null,
    });
  });

  test('keeps passwords to itself', async () => {
    await write(server, 'PATCH', 'config/global/patch', {
      authInternalUsers: [
        { user: 'ann', pass: 'secret', permissions: [{ action: 'read' }] },
        { user: 'any', permissions: [{ action: 'api' }] },
      ],
    });
    const { body } = await api(server, 'GET', 'config/global/get');
    expect(body.authInternalUsers[0]).toMatchObject({ user: 'ann', pass: '<redacted>' });
  });
});

describe.each(kinds)('the memory of $kind', ({ real }) => {
  test('forgets what came by the API when it crashes, and keeps its file and its ports', async () => {
    const server = await startMediaServer({ real, paths: { fixed: { maxReaders: 2 } } });
    later(server.stop);
    await addPath(server, 'added');
    const before = (await api(server, 'GET', 'info')).body.started;
    await server.kill();
    await server.restart();
    expect((await api(server, 'GET', 'config/paths/get/added')).status).toBe(404);
    expect((await api(server, 'GET', 'config/paths/get/fixed')).body.maxReaders).toBe(2);
    expect((await api(server, 'GET', 'info')).body.started).not.toBe(before);
  });

  test('forgets what came by the API when its file changes', async () => {
    const server = await startMediaServer({ real });
    later(server.stop);
    await addPath(server, 'added');
    const config = JSON.parse(await readFile(server.configFile, 'utf8'));
    await writeFile(server.configFile, JSON.stringify({ ...config, paths: { filed: {} } }));
    await eventually(
      () => api(server, 'GET', 'config/paths/get/added'),
      ({ status }) => status === 404,
      5_000,
    );
    expect((await api(server, 'GET', 'config/paths/get/filed')).status).toBe(200);
    await eventually(
      () => api(server, 'GET', 'paths/get/filed'),
      ({ status }) => status === 200,
      2_000,
    );
  });

  test('recreates its servers when authentication changes, the API among them, and goes on', async () => {
    const auth = await startAuthServer(() => true);
    later(auth.close);
    const server = await startMediaServer({ real, paths: { door: {} } });
    later(server.stop);
    const pattern = await publish(`${server.rtspUrl}/door`);
    const patch = { authMethod: 'http', authHTTPAddress: auth.url, authHTTPExclude: [{ action: 'api' }] };
    expect((await api(server, 'PATCH', 'config/global/patch', patch)).status).toBe(200);
    await pattern.ended;
    const read = () => api(server, 'GET', 'config/global/get').catch(() => ({ status: 0, body: {} }));
    await eventually(read, ({ body }) => body.authMethod === 'http', 5_000);
    await publish(`${server.rtspUrl}/door`);
    expect(auth.calls.map(({ action }) => action)).toContain('publish');
  });
});

test('the stand-in counts the calls of its API', async () => {
  const server = await startMediaServer({ real: false });
  later(server.stop);
  await addPath(server, 'a/b');
  await api(server, 'GET', 'paths/list');
  await api(server, 'GET', 'paths/list');
  expect(await server.calls()).toEqual({
    'POST config/paths/replace': 1,
    'PATCH config/global/patch': 1,
    'GET paths/list': 2,
  });
});
