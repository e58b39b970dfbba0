import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import type { PictureName } from '../../services/streams/pictures/picture.files.ts';
import {
  type PictureEnd,
  type PictureTarget,
  pictureQuery,
  publishPicture,
} from '../../services/streams/pictures/picture.publisher.ts';
import { Pictures } from '../../services/streams/pictures/pictures.ts';
import { cleanUp } from '../servers/clean-up.ts';
import { addPath, livePath, startHookLog } from '../servers/media-server.suite.ts';
import { type MediaServer, startMediaServer } from '../servers/media-server.ts';
import { freePort } from '../servers/ports.ts';
import { publishPattern } from '../servers/video.ts';
import { answerMs, eventually, within } from '../system/clients/wait.ts';

const later = cleanUp();
const run = promisify(execFile);

/** Decodes frames of a file or URL: for each its bytes as YUV 4:2:0, and a hash of them. Any fault of the stream fails. */
async function decoded(url: string, frames: number): Promise<{ size: number; hash: string }[]> {
  const input = [
    ...(url.startsWith('rtsp') ? ['-rtsp_transport', 'tcp'] : []),
    '-probesize',
    '200000',
    '-analyzeduration',
    '500000',
    '-i',
    url,
  ];
  const output = ['-an', '-fps_mode', 'passthrough', '-frames:v', String(frames), '-f', 'framemd5', 'pipe:1'];
  const common = ['-hide_banner', '-nostdin', '-loglevel', 'error', '-xerror'];
  const { stdout, stderr } = await run('ffmpeg', [...common, ...input, ...output], { timeout: 20_000 });
  expect(stderr).toBe('');
  const lines = stdout.split('\n').filter((line) => line && !line.startsWith('#'));
  return lines
    .map((line) => line.split(',').map((field) => field.trim()))
    .map((fields) => ({
      size: Number(fields[4]),
      hash: fields[5] ?? '',
    }));
}

const assets = new URL('../../services/streams/pictures/assets/', import.meta.url);
const hashOf = async (name: PictureName) =>
  (await decoded(fileURLToPath(new URL(`${name}.h264`, assets)), 1))[0]?.hash as string;

interface Publishing {
  up(): Promise<void>;
  ended(): Promise<PictureEnd>;
  stop(): void;
}

function publish(target: PictureTarget, picture: () => PictureName = () => 'connecting'): Publishing {
  const controller = new AbortController();
  later(() => controller.abort());
  const { promise: up, resolve: published } = Promise.withResolvers<void>();
  const ended = publishPicture({ ...target, picture, signal: controller.signal, published });
  return {
    up: () => within(up, 'the picture'),
    ended: () => within(ended, 'its end', 20_000),
    stop: () => controller.abort(),
  };
}

const user = { user: 'picture', pass: 'p@ss' };
let server: MediaServer;
/** The RTSP URL of a path, for players. */
const urlOf = (path: string) =>
  `${server.rtspUrl.replace('//', `//${user.user}:${encodeURIComponent(user.pass)}@`)}/${path}`;
const targetOf = (path: string): PictureTarget => {
  const { hostname, port } = new URL(server.rtspUrl.replace('rtsp', 'http'));
  return { host: hostname, port: Number(port), path, user: user.user, password: user.pass };
};
const available = (path: string, wanted: boolean) =>
  eventually(
    () => livePath(server, path),
    (item) => item.available === wanted,
    10_000,
  );

describe('a picture on a media server', () => {
  beforeEach(async () => {
    server = await startMediaServer({ users: [user], paths: { door: {}, 'front/gate': {} } });
    later(() => server.stop());
  });

  test('is what viewers decode over RTSP and HLS, 640 by 480', async () => {
    const { up } = publish(targetOf('front/gate'), () => 'missing');
    await up();
    const hls = `${server.hlsUrl.replace('//', `//${user.user}:${encodeURIComponent(user.pass)}@`)}/front/gate/index.m3u8`;
    const expected = { size: 640 * 480 * 1.5, hash: await hashOf('missing') };
    expect(await decoded(urlOf('front/gate'), 7)).toEqual(Array(7).fill(expected));
    expect(await decoded(hls, 7)).toEqual(Array(7).fill(expected));
    const [track] = (await livePath(server, 'front/gate')).tracks2;
    expect(track).toMatchObject({ codec: 'H264', codecProps: { width: 640, height: 480, profile: 'Baseline' } });
  });

  test('is followed by another without a break for viewers', async () => {
    let name: PictureName = 'connecting';
    const { up } = publish(targetOf('door'), () => name);
    await up();
    const viewing = decoded(urlOf('door'), 25);
    await eventually(
      () => livePath(server, 'door'),
      ({ readers }) => readers.length === 1,
      answerMs,
    );
    name = 'off';
    const hashes = (await viewing).map(({ hash }) => hash);
    const [connecting, off] = [await hashOf('connecting'), await hashOf('off')];
    const change = hashes.indexOf(off);
    expect(change).toBeGreaterThan(-1);
    expect(hashes).toEqual([...Array(change).fill(connecting), ...Array(25 - change).fill(off)]);
  });

  test('ends where a live camera takes the path over', async () => {
    const { up, ended } = publish(targetOf('door'));
    await up();
    const camera = await publishPattern(urlOf('door'), { size: '320x240' });
    later(() => camera.stop());
    expect(await ended()).toMatchObject({ why: 'taken over' });
    expect((await decoded(urlOf('door'), 3)).map(({ size }) => size)).toEqual(Array(3).fill(320 * 240 * 1.5));
  });

  test('is told from a camera by its query, in hooks as in questions', async () => {
    const hooks = await startHookLog();
    later(() => hooks.remove());
    await addPath(server, 'hooked', {
      runOnAvailable: hooks.command('ready'),
      runOnUnavailable: hooks.command('notReady'),
    });
    const { up, ended } = publish(targetOf('hooked'));
    await up();
    const told = (line: string) =>
      eventually(
        () => hooks.lines(),
        (lines) => lines.includes(line),
        answerMs,
      );
    const query = encodeURIComponent(pictureQuery);
    await told(`ready - hooked ${query} - rtspSession`);
    const camera = await publishPattern(urlOf('hooked'));
    later(() => camera.stop());
    await ended();
    await told('ready - hooked - - rtspSession');
    await told(`notReady - hooked ${query} - rtspSession`);
  });

  test('ends when it is told to, and leaves the path free', async () => {
    const { up, ended, stop } = publish(targetOf('door'));
    await up();
    await available('door', true);
    stop();
    expect(await ended()).toEqual({ why: 'stopped', detail: '' });
    await available('door', false);
  });

  test('is refused by a wrong password, and where there is no such path', async () => {
    expect(await publish({ ...targetOf('door'), password: 'wrong' }).ended()).toMatchObject({
      why: 'refused',
      detail: 'ANNOUNCE was answered 401',
    });
    expect(await publish(targetOf('nowhere')).ended()).toMatchObject({ why: 'refused' });
  });

  test('ends with its media server', async () => {
    const { up, ended } = publish(targetOf('door'));
    await up();
    await server.kill();
    expect(await ended()).toMatchObject({ why: 'unreachable' });
  });

  test('ends where the media server stands still', async () => {
    const { up, ended } = publish(targetOf('door'));
    await up();
    await server.kill('SIGSTOP');
    later(() => server.kill('SIGCONT'));
    expect(await ended()).toEqual({ why: 'unreachable', detail: 'OPTIONS was not answered in time' });
  });
});

describe('a picture for a server that', () => {
  /** A server that answers the requests of each connection with these texts; `$` is the number of the request. */
  async function scripted(...answers: string[]): Promise<PictureTarget & { requests: string[] }> {
    const requests: string[] = [];
    const sockets = new Set<Socket>();
    const listener: Server = createServer((socket) => {
      let left = [...answers];
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('data', (chunk) => {
        // Frames that come with it are left out.
        const [text, cseq] = /[A-Z]+ rtsp:[\s\S]*?CSeq: (\d+)[\s\S]*?\r\n\r\n/.exec(chunk.toString('latin1')) ?? [];
        if (text === undefined) return;
        requests.push(text);
        const [answer, ...rest] = left;
        left = rest;
        if (answer) socket.write(answer.replace('$', cseq ?? ''));
      });
    });
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    later(() => {
      for (const socket of sockets) socket.destroy();
      listener.close();
    });
    const { port } = listener.address() as AddressInfo;
    return { host: '127.0.0.1', port, path: 'door', user: 'a', password: 'b', requests };
  }
  const ok = 'RTSP/1.0 200 OK\r\nCSeq: $\r\n\r\n';
  const setUp = ok.replace('\r\n\r\n', '\r\nSession: 7;timeout=60\r\nTransport: RTP/AVP/TCP;interleaved=4-5\r\n\r\n');

  test('is not there is over', async () => {
    const target = { host: '127.0.0.1', port: await freePort(), path: 'door', user: '', password: '' };
    expect(await publish(target).ended()).toMatchObject({ why: 'unreachable' });
    expect(await publish({ ...target, host: 'nowhere.invalid' }).ended()).toMatchObject({ why: 'unreachable' });
  });

  test('does not answer is over after five seconds, and at once where it is told to stop', async () => {
    const target = await scripted();
    const [waiting, told] = [publish(target), publish(target)];
    told.stop();
    expect(await told.ended()).toEqual({ why: 'stopped', detail: '' });
    expect(await waiting.ended()).toEqual({ why: 'unreachable', detail: 'OPTIONS was not answered in time' });
  });

  test('speaks something else is over', async () => {
    expect(await publish(await scripted('HTTP/1.1 400 Bad Request\r\n\r\n')).ended()).toEqual({
      why: 'unreachable',
      detail: 'The server does not speak RTSP',
    });
  });

  test('offers no channel over TCP is over', async () => {
    expect(await publish(await scripted(ok, ok, ok)).ended()).toMatchObject({ why: 'refused' });
    const udp = setUp.replace('/TCP;interleaved=4-5', ';server_port=5000-5001');
    expect(await publish(await scripted(ok, ok, udp)).ended()).toMatchObject({ why: 'refused' });
  });

  test('takes it gets the requests in their order, credentials with the second, and a farewell', async () => {
    const target = await scripted(ok, ok, setUp, ok);
    const { up, ended, stop } = publish(target);
    await up();
    stop();
    expect(await ended()).toMatchObject({ why: 'stopped' });
    await eventually(
      async () => target.requests.length,
      (count) => count === 5,
      answerMs,
    );
    const firstLines = target.requests.map((text) => text.split('\r\n')[0]?.replace(/:\d+/, ''));
    expect(firstLines).toEqual([
      'OPTIONS rtsp://127.0.0.1/door?source=picture RTSP/1.0',
      'ANNOUNCE rtsp://127.0.0.1/door?source=picture RTSP/1.0',
      'SETUP rtsp://127.0.0.1/door?source=picture/trackID=0 RTSP/1.0',
      'RECORD rtsp://127.0.0.1/door?source=picture RTSP/1.0',
      'TEARDOWN rtsp://127.0.0.1/door?source=picture RTSP/1.0',
    ]);
    expect(target.requests[1]).toContain('\r\nAuthorization: Basic YTpi\r\n');
    expect(target.requests[2]).toContain('\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1;mode=record\r\n');
    for (const request of target.requests.slice(3)) expect(request).toContain('\r\nSession: 7\r\n');
  });
});

describe('pictures', () => {
  interface Line {
    level: number;
    msg: string;
    camera: string;
  }
  function stage(limit?: number) {
    const lines: Line[] = [];
    const log = pino({ level: 'warn' }, { write: (line: string) => void lines.push(JSON.parse(line) as Line) });
    const pictures = new Pictures({ log, limit });
    later(() => pictures.stop());
    return { pictures, lines };
  }
  const sessions = async () => {
    const response = await fetch(`${server.apiUrl}/v3/rtspsessions/list`);
    return ((await response.json()) as { items: { id: string; path: string; state: string }[] }).items;
  };
  const publishers = (count: number) =>
    eventually(sessions, (items) => items.filter(({ state }) => state === 'publish').length === count, answerMs);

  beforeEach(async () => {
    server = await startMediaServer({ users: [user], paths: { door: {}, gate: {} } });
    later(() => server.stop());
  });

  test('are shown once for each camera, in one session whichever picture it is, and in another on another path', async () => {
    const { pictures } = stage();
    pictures.show('1', targetOf('door'), 'connecting');
    pictures.show('2', targetOf('gate'), 'off');
    const before = await publishers(2);
    pictures.show('1', targetOf('door'), 'disabled');
    const disabled = await hashOf('disabled');
    const last = async () => (await decoded(urlOf('door'), 8)).at(-1)?.hash;
    await eventually(last, (hash) => hash === disabled, answerMs);
    expect((await publishers(2)).map(({ id }) => id).sort()).toEqual(before.map(({ id }) => id).sort());
    pictures.hide('2');
    pictures.show('1', targetOf('gate'), 'disabled');
    await available('door', false);
    expect((await publishers(1)).find(({ state }) => state === 'publish')?.path).toBe('gate');
    expect(pictures.size).toBe(1);
  });

  test('are gone when they have been stopped, and none is shown after', async () => {
    const { pictures } = stage();
    pictures.show('1', targetOf('door'), 'connecting');
    pictures.show('2', targetOf('gate'), 'off');
    await publishers(2);
    await pictures.stop();
    expect(pictures.size).toBe(0);
    await publishers(0);
    pictures.show('1', targetOf('door'), 'connecting');
    expect(pictures.size).toBe(0);
  });

  test('are forgotten where a camera takes the path over, and can be shown again', async () => {
    const { pictures, lines } = stage();
    pictures.show('1', targetOf('door'), 'connecting');
    await available('door', true);
    const camera = await publishPattern(urlOf('door'));
    later(() => camera.stop());
    await eventually(
      async () => pictures.size,
      (size) => size === 0,
      answerMs,
    );
    expect((await livePath(server, 'door')).tracks2[0].codecProps.width).toBe(320);
    await camera.stop();
    pictures.show('1', targetOf('door'), 'off');
    await eventually(
      () => livePath(server, 'door'),
      ({ tracks2 }) => tracks2?.[0]?.codecProps.width === 640,
      answerMs,
    );
    expect(lines).toEqual([]);
  });

  test('come back when their media server does, with one line in the log for each camera', async () => {
    const { pictures, lines } = stage();
    pictures.show('1', targetOf('door'), 'connecting');
    await available('door', true);
    await server.kill();
    await eventually(
      async () => lines.length,
      (count) => count > 0,
      answerMs,
    );
    await server.restart();
    await available('door', true);
    expect(lines).toMatchObject([{ level: 40, camera: '1', why: 'unreachable' }]);
    expect(pictures.size).toBe(1);
  });

  test('are limited in number, which is told once until there is room again', () => {
    const { pictures, lines } = stage(2);
    const [one, two, three, four] = ['1', '2', '3', '4'] as const;
    const show = (camera: string) => pictures.show(camera, targetOf('door'), 'off');
    for (const camera of [one, two, three, four]) show(camera);
    expect(pictures.size).toBe(2);
    expect(lines).toMatchObject([{ level: 40, camera: three, limit: 2 }]);
    pictures.hide(one);
    show(three);
    show(four);
    expect(pictures.size).toBe(2);
    expect(lines.map(({ camera }) => camera)).toEqual([three, four]);
  });
});
