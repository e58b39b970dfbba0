import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { mediaFleet, mediamtxVersion, nodeHook, runMediamtx } from '../../services/streams/media/index.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import { cleanUp } from '../servers/clean-up.ts';
import { mediamtxCommand } from '../servers/media-server.ts';
import { cameraSource, decodeFrames } from '../servers/video.ts';
import { addCamera, logIn } from '../system/cameras.ts';
import { eventually } from '../system/clients/wait.ts';
import { startOneProcess } from '../system/one-process.ts';

const standIn = fileURLToPath(new URL('../servers/media-server/main.ts', import.meta.url));
const context = { callback: 'http://127.0.0.1:9', installation: 'one', secret: 's', program: nodeHook() };
/** One address of this machine, where it has more than one of loopback. */
const oneAddress = process.platform === 'linux' ? '127.0.0.2' : '127.0.0.1';
const isTrue = (value: boolean) => value;
const runs = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

const kinds = [
  { kind: 'the stand-in', real: false },
  ...((await mediamtxCommand()) ? [{ kind: 'MediaMTX', real: true }] : []),
];

describe.each(kinds)('$kind beside Trigate', ({ real }) => {
  let directory: string;
  let command: string;
  const later = cleanUp();

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'trigate-local-'));
    command = join(directory, 'mediamtx');
    if (real) command = (await mediamtxCommand()) as string;
    else
      await writeFile(
        command,
        `#!/bin/sh\n[ "$1" = --version ] && exec echo v1.20.1\nexec '${process.execPath}' '${standIn}' "$@"\n`,
      );
    if (!real) await chmod(command, 0o755);
  });
  afterEach(async () => {
    await rm(directory, { recursive: true, force: true });
  });

  const settings = () => ({
    host: '127.0.0.1',
    dataDir: join(directory, 'data'),
    mediamtxRtspPort: 0,
    mediamtxRtpPort: 0,
    mediamtxRtmpPort: 0,
    mediamtxHlsPort: 0,
    mediamtxWebrtcPort: 0,
    mediamtxWebrtcUdpPort: 0,
    mediamtxSrtPort: 0,
  });
  async function run() {
    const local = await runMediamtx(settings(), context, silentLog, command);
    later(() => local.stop());
    const fleet = mediaFleet({ servers: [local.place], context, wanted: async () => new Map(), log: silentLog });
    later(() => fleet.stop());
    const events: string[] = [];
    fleet.on('restarted', () => events.push('restarted'));
    fleet.start();
    const [server] = fleet.servers;
    if (!server) throw new Error('no server');
    await eventually(async () => server.alive, isTrue, 15_000);
    return { local, server, events };
  }
  const pid = async () => Number(await readFile(join(directory, 'data/mediamtx/pid'), 'utf8'));

  test('is found, and asks us who may read from its first moment', async () => {
    expect(await mediamtxVersion(command)).toMatch(/1\.\d+/);
    const { server } = await run();
    expect(server).toMatchObject({ id: 'local', host: '127.0.0.1' });
    expect(Object.values(server.protocols ?? {}).every((protocol) => protocol !== null)).toBe(true);
    expect(server.api.calls.get('config/global/patch')).toBeUndefined();
    const { mode } = await stat(join(directory, 'data/mediamtx/mediamtx.yml'));
    expect(mode & 0o077).toBe(0);
  });

  test('is started again where it ends, and ends with us', async () => {
    const { local, server, events } = await run();
    const first = await pid();
    process.kill(first, 'SIGKILL');
    await eventually(async () => events.includes('restarted') && server.alive, isTrue, 15_000);
    const second = await pid();
    expect(second).not.toBe(first);
    await local.stop();
    expect(runs(second)).toBe(false);
  });

  test('serves the cameras of npm start, and pictures, at its one address, and ends with it', async () => {
    const camera = await cameraSource();
    later(() => camera.stop());
    const ports = ['RTSP', 'RTP', 'RTMP', 'HLS', 'WEBRTC', 'WEBRTC_UDP', 'SRT'].map((name) => [
      `MEDIAMTX_${name}_PORT`,
      '0',
    ]);
    const path = `${dirname(command)}${delimiter}${process.env.PATH}`;
    const system = await startOneProcess({ ...Object.fromEntries(ports), PATH: path, HOST: oneAddress });
    later(() => system.stop());
    const owner = await logIn(system);
    later(() => owner.close());
    const { id } = await addCamera(owner, { mtx_path: 'door', source: camera.url });
    const { rtsp } = await owner.call('streams.create', { payload: { camera: id } });
    const nobody = (rtsp as string).replace(/door$/, 'nobody');
    for (const url of [rtsp as string, nobody]) {
      expect(await decodeFrames(url, 3, 20_000)).toMatchObject({ frames: 3 });
    }
    const child = Number(await readFile(join(system.env.DATA_DIR as string, 'mediamtx/pid'), 'utf8'));
    expect(runs(child)).toBe(true);
    await system.processes.all?.stop();
    expect(runs(child)).toBe(false);
  });

  test('that outlived a Trigate that was killed is ended by the next', async () => {
    await run();
    const leftover = await pid();
    // The first does not know that it is gone.
    await run();
    expect(await pid()).not.toBe(leftover);
    expect(runs(leftover)).toBe(false);
  });
});

test('where there is no mediamtx, that is found out', async () => {
  expect(await mediamtxVersion('/nowhere/mediamtx')).toBeNull();
});
