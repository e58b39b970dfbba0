import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Config } from '../../../shared/runtime/config.ts';
import type { Log } from '../../../shared/runtime/log.ts';
import type { ServerPlace } from './fleet.ts';
import type { HookContext, HookProgram } from './hooks.rules.ts';
import { freePort } from './local.ports.ts';
import { lineLevel, localAddress, localConfig, localHost } from './local.rules.ts';

/** Its id, whatever port its API has today. */
const id = 'local';
/** Milliseconds until a server that ended is started again, doubled from the first to the last. */
const [firstPause, lastPause] = [500, 30_000];
/** Milliseconds after which it counts as having run well. */
const ranWell = 60_000;
const stopMs = 5_000;
const versionMs = 5_000;

export type LocalSettings = Pick<
  Config,
  | 'host'
  | 'dataDir'
  | 'mediamtxPublicHosts'
  | 'mediamtxRtspPort'
  | 'mediamtxRtpPort'
  | 'mediamtxRtmpPort'
  | 'mediamtxHlsPort'
  | 'mediamtxWebrtcPort'
  | 'mediamtxWebrtcUdpPort'
  | 'mediamtxSrtPort'
>;

export interface LocalMedia {
  place: ServerPlace;
  stop(): Promise<void>;
}

/** What `mediamtx` on the PATH says its version is; null where there is none that runs. */
export async function mediamtxVersion(command = 'mediamtx'): Promise<string | null> {
  const run = promisify(execFile)(command, ['--version'], { timeout: versionMs });
  return run.then(
    ({ stdout }) => stdout.trim().slice(0, 128),
    () => null,
  );
}

/** Our own script on this Node.js: what a media server on this machine calls us with. */
export const nodeHook = (): HookProgram => ({
  node: process.execPath,
  script: fileURLToPath(new URL('./hook.post.ts', import.meta.url)),
});

/**
 * Runs a media server beside us as long as we run, with a configuration made for it below `DATA_DIR`. It is started
 * again where it ends. Whether it answers is for the fleet to watch.
 */
export async function runMediamtx(
  config: LocalSettings,
  context: Omit<HookContext, 'server'>,
  log: Log,
  command = 'mediamtx',
): Promise<LocalMedia> {
  const directory = resolve(config.dataDir, 'mediamtx');
  const file = join(directory, 'mediamtx.yml');
  const ports = await choosePorts(config);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await endLeftover(join(directory, 'pid'), file, log);
  await writeFile(file, localConfig(config.host, ports, { ...context, server: id }), { mode: 0o600 });
  const child = keepRunning(command, file, directory, log);
  const host = config.mediamtxPublicHosts?.[0] ?? localHost(config.host, networkInterfaces());
  const place = { apiUrl: `http://127.0.0.1:${ports.api}`, address: localAddress(config.host), host, id };
  return { place, stop: child.stop };
}

async function choosePorts(config: LocalSettings) {
  const either = async (port: number) => port || (await freePort());
  return {
    api: await freePort(),
    rtsp: await either(config.mediamtxRtspPort),
    rtp: config.mediamtxRtpPort || (await freePort('even')),
    rtmp: await either(config.mediamtxRtmpPort),
    hls: await either(config.mediamtxHlsPort),
    webrtc: await either(config.mediamtxWebrtcPort),
    webrtcUdp: await either(config.mediamtxWebrtcUdpPort),
    srt: await either(config.mediamtxSrtPort),
  };
}

/** A Trigate that was killed leaves its media server running, and its ports taken. */
async function endLeftover(pidFile: string, configFile: string, log: Log): Promise<void> {
  const pid = Number(await readFile(pidFile, 'utf8').catch(() => ''));
  if (!Number.isInteger(pid) || pid <= 1 || !(await runs(pid, configFile))) return;
  log.warn({ pid }, 'ends the media server of an earlier run');
  process.kill(pid, 'SIGKILL');
  for (let turn = 0; turn < 40 && (await runs(pid, configFile)); turn += 1) {
    await new Promise((done) => setTimeout(done, 50));
  }
}

/** Whether the process is the media server with our configuration: numbers of processes come again. */
async function runs(pid: number, configFile: string): Promise<boolean> {
  const { stdout } = await promisify(execFile)('ps', ['-o', 'stat=,args=', '-p', String(pid)]).catch(() => ({
    stdout: '',
  }));
  return stdout.includes(configFile) && !stdout.startsWith('Z');
}

function keepRunning(command: string, file: string, directory: string, log: Log) {
  let child: ChildProcess | undefined;
  let pause: number = firstPause;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  let ended: Promise<void> = Promise.resolve();

  function launch(): void {
    const begun = performance.now();
    const started = spawn(command, [file], { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] });
    child = started;
    if (started.pid) void writeFile(join(directory, 'pid'), String(started.pid)).catch(() => {});
    for (const stream of [started.stdout, started.stderr]) {
      createInterface({ input: stream }).on('line', (line) =>
        log[lineLevel(line)]({ line: line.slice(0, 1_000) }, 'mediamtx'),
      );
    }
    ended = new Promise((done) => {
      const over = (reason: string) => {
        done();
        if (stopped) return;
        pause = performance.now() - begun > ranWell ? firstPause : Math.min(pause * 2, lastPause);
        log.warn({ reason, pause }, 'the media server ended and is started again');
        timer = setTimeout(launch, pause);
      };
      started.once('error', (error) => over(error.message));
      started.once('exit', (code, signal) => over(signal ?? `code ${code}`));
    });
  }

  launch();
  return {
    async stop(): Promise<void> {
      stopped = true;
      clearTimeout(timer);
      child?.kill('SIGTERM');
      const kill = setTimeout(() => child?.kill('SIGKILL'), stopMs);
      await ended;
      clearTimeout(kill);
      await rm(join(directory, 'pid'), { force: true });
    },
  };
}
