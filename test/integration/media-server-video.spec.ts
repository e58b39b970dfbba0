import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { cleanUp } from '../servers/clean-up.ts';
import { addPath, answerTo, api, kinds, livePath, startWhepServer, write } from '../servers/media-server.suite.ts';
import { type MediaServer, startMediaServer } from '../servers/media-server.ts';
import { cameraSource, decodeFrames, publishPattern } from '../servers/video.ts';
import { eventually } from '../system/clients/wait.ts';

const later = cleanUp();

async function publish(url: string, options = {}) {
  const pattern = await publishPattern(url, options);
  later(() => pattern.kill('SIGKILL'));
  return pattern;
}

describe.each(kinds)('video through $kind', ({ real }) => {
  let server: MediaServer;

  beforeAll(async () => {
    server = await startMediaServer({ real });
  });
  afterAll(() => server.stop());

  test('goes from a publisher to readers, the late ones too, and is described', async () => {
    await addPath(server, 'video/plain');
    await publish(`${server.rtspUrl}/video/plain?key=1`, { audio: true });
    const live = await livePath(server, 'video/plain');
    expect(live).toMatchObject({ available: true, ready: true, online: true, source: { type: 'rtspSession' } });
    expect(live.tracks2).toEqual([
      { codec: 'H264', codecProps: { width: 320, height: 240, profile: 'Baseline', level: expect.any(String) } },
      { codec: 'MPEG-4 Audio', codecProps: { sampleRate: 44100, channelCount: 1 } },
    ]);
    const reading = decodeFrames(`${server.rtspUrl}/video/plain?who=me`, 20);
    const busy = await eventually(
      () => livePath(server, 'video/plain'),
      ({ readers }) => readers.length === 1,
      5_000,
    );
    const sessions = (await api(server, 'GET', 'rtspsessions/list')).body.items;
    expect(sessions).toHaveLength(2);
    const [reader] = sessions.filter((session: { state: string }) => session.state === 'read');
    expect(reader).toMatchObject({ path: 'video/plain', query: 'who=me', transport: 'TCP', id: busy.readers[0].id });
    expect(sessions).toContainEqual(expect.objectContaining({ state: 'publish', query: 'key=1', id: live.source.id }));
    expect(await reading).toMatchObject({ frames: 20 });
    const late = await decodeFrames(`${server.rtspUrl}/video/plain`, 5);
    expect(late.frames).toBe(5);
    await eventually(
      () => livePath(server, 'video/plain'),
      ({ readers }) => readers.length === 0,
      5_000,
    );
    const counted = await livePath(server, 'video/plain');
    expect(counted.inboundBytes).toBeGreaterThan(10_000);
    expect(counted.bytesReceived).toBeGreaterThanOrEqual(counted.inboundBytes);
    expect(counted.outboundBytes).toBeGreaterThan(10_000);
  });

  test('is refused with 404 where nobody publishes and with 400 where nothing is configured', async () => {
    await addPath(server, 'video/empty');
    expect((await decodeFrames(`${server.rtspUrl}/video/empty`)).error).toContain('404 Not Found');
    expect((await decodeFrames(`${server.rtspUrl}/video/unknown`)).error).toContain('400 Bad Request');
    await expect(publishPattern(`${server.rtspUrl}/video/unknown`)).rejects.toThrow(/400 Bad Request/);
  });

  test('ends for readers when the publisher leaves, and by a kick', async () => {
    await addPath(server, 'video/kick');
    const pattern = await publish(`${server.rtspUrl}/video/kick`);
    const reading = decodeFrames(`${server.rtspUrl}/video/kick`, 1_000);
    await eventually(
      () => livePath(server, 'video/kick'),
      ({ readers }) => readers.length === 1,
      5_000,
    );
    const { source } = await livePath(server, 'video/kick');
    expect((await api(server, 'POST', `rtspsessions/kick/${source.id}`)).body).toEqual({ status: 'ok' });
    await pattern.ended;
    expect((await reading).frames).toBeLessThan(1_000);
    expect(await livePath(server, 'video/kick')).toMatchObject({ available: false, readers: [], source: null });
  });

  test('counts readers up to the limit and takes one publisher where it must not be overridden', async () => {
    await addPath(server, 'video/limits', { maxReaders: 1, overridePublisher: false });
    await publish(`${server.rtspUrl}/video/limits`);
    const first = decodeFrames(`${server.rtspUrl}/video/limits`, 30);
    await eventually(
      () => livePath(server, 'video/limits'),
      ({ readers }) => readers.length === 1,
      5_000,
    );
    expect((await decodeFrames(`${server.rtspUrl}/video/limits`)).error).toContain('400 Bad Request');
    await expect(publishPattern(`${server.rtspUrl}/video/limits`)).rejects.toThrow(/ffmpeg did not start/);
    expect((await first).frames).toBe(30);
  });

  test('is taken over by a second publisher', async () => {
    await addPath(server, 'video/over');
    const first = await publish(`${server.rtspUrl}/video/over`);
    const { source } = await livePath(server, 'video/over');
    await publish(`${server.rtspUrl}/video/over`);
    await first.ended;
    const after = await livePath(server, 'video/over');
    expect(after.available).toBe(true);
    expect(after.source.id).not.toBe(source.id);
  });

  test('stays when forward or recording change, and ends when another field does', async () => {
    await addPath(server, 'video/patch');
    const pattern = await publish(`${server.rtspUrl}/video/patch`);
    const { source } = await livePath(server, 'video/patch');
    await write(server, 'PATCH', 'config/paths/patch/video/patch', { recordDeleteAfter: '2d', forward: [] });
    await write(server, 'PATCH', 'config/paths/patch/video/patch', { maxReaders: 0 });
    expect((await decodeFrames(`${server.rtspUrl}/video/patch`)).frames).toBe(5);
    expect((await livePath(server, 'video/patch')).source).toEqual(source);
    await write(server, 'PATCH', 'config/paths/patch/video/patch', { maxReaders: 7 });
    await pattern.ended;
    expect(await livePath(server, 'video/patch')).toMatchObject({ available: false, source: null });
  });

  test('is pulled from a camera that asks for a password, and forwarded to where it is viewed', async () => {
    const camera = await cameraSource({ user: 'admin', password: 'p@ss#word', digest: true });
    later(camera.stop);
    await addPath(server, 'viewer');
    await addPath(server, 'feeds/1', { source: camera.url, forward: [{ dest: `${server.rtspUrl}/viewer` }] });
    await eventually(
      () => livePath(server, 'viewer'),
      ({ available }) => available,
      15_000,
    );
    expect((await decodeFrames(`${server.rtspUrl}/viewer`, 10)).frames).toBe(10);
    expect((await livePath(server, 'feeds/1')).source).toEqual({ type: 'rtspSource', id: '' });
    const targets = () => api(server, 'GET', 'paths/forward/list?path=feeds/1');
    expect((await targets()).body.items[0]).toMatchObject({
      state: 'forwarding',
      protocol: 'rtsp',
      lastError: '',
      pos: 1,
    });
    await addPath(server, 'viewer2');
    const forward = [{ dest: `${server.rtspUrl}/viewer2` }];
    await write(server, 'PATCH', 'config/paths/patch/feeds/1', { forward });
    await eventually(
      () => livePath(server, 'viewer2'),
      ({ available }) => available,
      15_000,
    );
    await eventually(
      () => livePath(server, 'viewer'),
      ({ available }) => !available,
      5_000,
    );
    expect((await livePath(server, 'feeds/1')).available).toBe(true);
    await camera.interrupt();
    await eventually(
      () => livePath(server, 'viewer2'),
      ({ available }) => !available,
      5_000,
    );
    await camera.resume();
    await eventually(
      () => livePath(server, 'viewer2'),
      ({ available }) => available,
      20_000,
    );
  }, 60_000);

  test('is pulled over TLS from a camera whose certificate is known by its fingerprint, and from no other', async () => {
    const camera = await cameraSource({ user: 'admin', password: 'right', tls: true });
    later(camera.stop);
    const sourceFingerprint = camera.server.fingerprint;
    await addPath(server, 'feeds/4', { source: camera.url, sourceFingerprint });
    await addPath(server, 'feeds/5', { source: camera.url, sourceFingerprint: sourceFingerprint.replace(/^../, '00') });
    await addPath(server, 'feeds/6', { source: camera.url });
    await eventually(
      () => livePath(server, 'feeds/4'),
      ({ available }) => available,
      15_000,
    );
    expect((await decodeFrames(`${server.rtspUrl}/feeds/4`)).frames).toBe(5);
    const readers = (await api(camera.server, 'GET', 'rtspssessions/list')).body.items;
    expect(readers).toEqual([expect.objectContaining({ state: 'read', user: 'admin', path: 'stream' })]);
    for (const name of ['feeds/5', 'feeds/6']) expect(await livePath(server, name)).toMatchObject({ available: false });
  }, 30_000);

  test('is not pulled with a wrong password, and a target that refuses is told', async () => {
    const camera = await cameraSource({ user: 'admin', password: 'right' });
    later(camera.stop);
    await addPath(server, 'feeds/2', { source: camera.url.replace('right', 'wrong') });
    await addPath(server, 'feeds/3', { source: camera.url, forward: [{ dest: `${server.rtspUrl}/nowhere` }] });
    const targets = () => api(server, 'GET', 'paths/forward/list?path=feeds/3');
    const { body } = await eventually(targets, (answer) => answer.body.items[0].state === 'error', 15_000);
    expect(body.items[0].lastError).toContain('400');
    expect(await livePath(server, 'feeds/2')).toMatchObject({ available: false });
  }, 30_000);
});

describe.each(kinds)('a WHEP source of $kind', ({ real }) => {
  let server: MediaServer;

  beforeAll(async () => {
    server = await startMediaServer({ real });
  });
  afterAll(() => server.stop());

  const methodsOf = (calls: readonly { method: string }[]) => calls.map(({ method }) => method).join();

  test('offers video, then audio, with its candidates, and deletes the session at the end', async () => {
    const whep = await startWhepServer(answerTo);
    later(whep.close);
    await addPath(server, 'whep/full', { source: whep.url, whepBearerToken: 'bearer', whepHandshakeTimeout: '1s' });
    await eventually(
      async () => whep.calls,
      ({ length }) => length >= 2,
      5_000,
    );
    const [options, post] = whep.calls;
    expect([options?.path, options?.authorization]).toEqual(['/camera/whep', 'Bearer bearer']);
    expect(post).toMatchObject({ method: 'POST', path: '/camera/whep', authorization: 'Bearer bearer' });
    const offer = post?.body ?? '';
    expect([...offer.matchAll(/^m=(\w+)/gm)].map(([, kind]) => kind)).toEqual(['video', 'audio']);
    expect(offer.match(/^a=recvonly/gm)).toHaveLength(2);
    expect(offer.match(/^a=mid:\d/gm)).toEqual(['a=mid:0', 'a=mid:1']);
    const [head = '', video = '', audio = ''] = offer.split(/^(?=m=)/m);
    expect(head).toMatch(/^a=group:BUNDLE 0 1\s/m);
    expect(head).toMatch(/^a=fingerprint:sha-256 [0-9A-F:]{95}\s/m);
    expect(video).toMatch(/^a=candidate:\d+ 1 udp \d+ \S+ \d+ typ host/m);
    expect(video).toMatch(/^a=setup:actpass\s/m);
    expect(audio).toMatch(/^a=rtpmap:111 opus\/48000\/2\s/m);
    await write(server, 'DELETE', 'config/paths/delete/whep/full');
    await eventually(
      async () => methodsOf(whep.calls),
      (methods) => methods.startsWith('OPTIONS,POST,DELETE'),
      5_000,
    );
    expect(whep.calls[2]).toMatchObject({ path: '/ended/1', authorization: 'Bearer bearer' });
  });

  test('tells candidates one after the other where that is allowed', async () => {
    const whep = await startWhepServer(answerTo, 'OPTIONS, GET, POST, PATCH, DELETE');
    later(whep.close);
    await addPath(server, 'whep/trickle', { source: whep.url, whepHandshakeTimeout: '2s' });
    await eventually(
      async () => methodsOf(whep.calls),
      (methods) => methods.startsWith('OPTIONS,POST,PATCH'),
      5_000,
    );
    expect(whep.calls[1]?.body).not.toContain('a=candidate');
    expect(whep.calls[2]?.path).toBe('/ended/1');
    expect(whep.calls[2]?.body).toMatch(/^a=candidate:/m);
    await write(server, 'DELETE', 'config/paths/delete/whep/trickle');
  });

  test.each<[string, (offer: string) => string]>([
    ['is no session description', () => 'nothing'],
    ['has a data channel', (offer) => `${answerTo(offer)}m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n`],
    ['has no fingerprint', (offer) => answerTo(offer).replaceAll(/a=fingerprint.*\r\n/g, '')],
  ])('takes no answer that %s', async (_name, answer) => {
    const whep = await startWhepServer(answer);
    later(whep.close);
    await addPath(server, 'whep/bad', { source: whep.url });
    later(() => write(server, 'DELETE', 'config/paths/delete/whep/bad'));
    await eventually(
      async () => methodsOf(whep.calls),
      (methods) => methods.startsWith('OPTIONS,POST,DELETE'),
      5_000,
    );
    expect(await livePath(server, 'whep/bad')).toMatchObject({ available: false, source: { type: 'webRTCSource' } });
  });
});

test('the stand-in sends a pattern where WebRTC would bring media', async () => {
  const whep = await startWhepServer(answerTo);
  later(whep.close);
  const server = await startMediaServer({ real: false });
  later(server.stop);
  await addPath(server, 'viewer');
  for (const name of ['feeds/1', 'feeds/2']) {
    await addPath(server, name, { source: whep.url, forward: [{ dest: `${server.rtspUrl}/viewer` }] });
  }
  await eventually(
    () => livePath(server, 'viewer'),
    ({ available }) => available,
    10_000,
  );
  expect((await decodeFrames(`${server.rtspUrl}/feeds/1`, 10)).frames).toBe(10);
  await write(server, 'DELETE', 'config/paths/delete/feeds/1');
  expect((await decodeFrames(`${server.rtspUrl}/feeds/2`, 10)).frames).toBe(10);
}, 30_000);

test('the stand-in takes no answer whose media are in another order, though MediaMTX does', async () => {
  const whep = await startWhepServer((offer) => {
    const [head, video, audio] = answerTo(offer).split(/^(?=m=)/m);
    return [head, audio, video].join('');
  });
  later(whep.close);
  const server = await startMediaServer({ real: false, paths: { swapped: { source: whep.url } } });
  later(server.stop);
  await eventually(
    async () => whep.calls.map(({ method }) => method),
    (methods) => methods.includes('DELETE'),
    5_000,
  );
  expect(server.output()).toContain('the answer has audio, video, not video, audio');
});

test('the stand-in carries a hundred feeds of one camera', async () => {
  const camera = await cameraSource({ user: 'admin', password: 'right' });
  later(camera.stop);
  const numbers = Array.from({ length: 100 }, (_item, index) => index);
  const server = await startMediaServer({
    real: false,
    paths: Object.fromEntries(numbers.map((number) => [`door/${number}`, {}])),
  });
  later(server.stop);
  for (const number of numbers) {
    const fields = { source: camera.url, forward: [{ dest: `${server.rtspUrl}/door/${number}` }] };
    await api(server, 'POST', `config/paths/add/feeds/${number}`, fields);
  }
  const list = async () => (await api(server, 'GET', 'paths/list?itemsPerPage=200')).body.items;
  const available = (items: { available: boolean }[]) => items.filter((item) => item.available).length;
  await eventually(list, (items) => available(items) === 200, 20_000);
  expect((await decodeFrames(`${server.rtspUrl}/door/99`)).frames).toBe(5);
}, 40_000);

test('who has no ffmpeg is told in one line how to get it', async () => {
  const { PATH } = process.env;
  later(() => {
    process.env.PATH = PATH;
  });
  process.env.PATH = '/nowhere';
  const howTo = 'ffmpeg is needed on the PATH: `apt-get install ffmpeg`';
  await expect(publishPattern('rtsp://127.0.0.1:1/x')).rejects.toThrow(howTo);
  await expect(decodeFrames('rtsp://127.0.0.1:1/x')).rejects.toThrow(howTo);
});
