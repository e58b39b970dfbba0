import { access, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Certificate, selfSigned } from './certificate.ts';
import type { Pauses } from './media-server/server.ts';
import { freePort } from './ports.ts';
import { type Running, start } from './process.ts';

export interface MediaServerOptions {
  /**
   * Asked about every reader and publisher (and about API calls unless `authExclude` names them) where given; else
   * everybody may read and publish, and 127.0.0.1 use the API.
   */
  authUrl?: string;
  /** What is not asked about; the API unless given. */
  authExclude?: readonly { action: string; path?: string }[];
  /** Users and passwords for reading and publishing, where no `authUrl` is given. */
  users?: readonly { user: string; pass: string }[];
  /** Serves RTSPS too, with a certificate of its own; see `fingerprint`. */
  tls?: boolean;
  /** Paths of the configuration file: they outlive a restart. */
  paths?: Record<string, Record<string, unknown>>;
  /** Further keys of the configuration file, with the real server's names. */
  config?: Record<string, unknown>;
  /** Runs the real `mediamtx` of the PATH; else the environment's MEDIA_SERVER=mediamtx does, else the stand-in runs. */
  real?: boolean;
  /** Of the stand-in only: shorter than the real server's, so that tests need not wait. */
  pauses?: Partial<Pauses>;
}

export interface MediaServer {
  readonly kind: 'stand-in' | 'mediamtx';
  /** `http://127.0.0.1:<port>`: the control API is below `/v3`. */
  readonly apiUrl: string;
  /** `rtsp://127.0.0.1:<port>` */
  readonly rtspUrl: string;
  /** `rtsps://127.0.0.1:<port>`; served where `tls` is asked for. */
  readonly rtspsUrl: string;
  /** SHA-256 of the certificate, in hexadecimal digits, as `sourceFingerprint` takes it; '' without `tls`. */
  readonly fingerprint: string;
  /** `http://127.0.0.1:<port>` */
  readonly hlsUrl: string;
  /** `http://127.0.0.1:<port>`; the stand-in does not listen there. */
  readonly webrtcUrl: string;
  /** The configuration file, with the real server's keys as JSON. A change of it is loaded at once. */
  readonly configFile: string;
  readonly pid: number;
  output(): string;
  stop(): Promise<void>;
  /** SIGKILL, unless another signal is given. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Ends the process where it still runs and starts another on the same ports and configuration file. */
  restart(): Promise<void>;
  /** How often each route of the API was called since the process started, as `GET paths/list`. The stand-in only. */
  calls(): Promise<Record<string, number>>;
}

const standIn = fileURLToPath(new URL('media-server/main.ts', import.meta.url));
const testPauses: Pauses = { maxAuthPauseMs: 100, retryMs: 1_000 };

/** The real server on the PATH, or undefined. */
export async function mediamtxCommand(): Promise<string | undefined> {
  for (const directory of (process.env.PATH ?? '').split(delimiter)) {
    const command = join(directory, 'mediamtx');
    const there = await access(command).then(
      () => true,
      () => false,
    );
    if (there) return command;
  }
  return undefined;
}

type Ports = Record<'api' | 'rtsp' | 'rtsps' | 'hls' | 'webrtc' | 'rtmp' | 'webrtcUdp' | 'srtUdp', number>;

async function freePorts(): Promise<Ports> {
  const [api, rtsp, rtsps, hls, webrtc, rtmp, webrtcUdp, srtUdp] = await Promise.all(
    Array.from({ length: 8 }, () => freePort()),
  );
  return { api, rtsp, rtsps, hls, webrtc, rtmp, webrtcUdp, srtUdp } as Ports;
}

const everybody = { user: 'any', pass: '', ips: [] };
const permissions = ['publish', 'read', 'playback'].map((action) => ({ action }));

function configOf(ports: Ports, options: MediaServerOptions): Record<string, unknown> {
  const { authUrl, authExclude = [{ action: 'api' }], users, paths = {}, config } = options;
  const local = (port: number) => `127.0.0.1:${port}`;
  const viewers = (users ?? [everybody]).map((user) => ({ ...user, permissions }));
  const auth = authUrl
    ? { authMethod: 'http', authHTTPAddress: authUrl, authHTTPExclude: authExclude }
    : { authInternalUsers: [...viewers, { ...everybody, ips: ['127.0.0.1'], permissions: [{ action: 'api' }] }] };
  return {
    ...auth,
    api: true,
    apiAddress: local(ports.api),
    rtspTransports: ['tcp'],
    rtspAddress: local(ports.rtsp),
    rtspsAddress: local(ports.rtsps),
    hlsAddress: local(ports.hls),
    webrtcAddress: local(ports.webrtc),
    webrtcLocalUDPAddress: local(ports.webrtcUdp),
    rtmpAddress: local(ports.rtmp),
    srtAddress: local(ports.srtUdp),
    moq: false,
    ...config,
    paths,
  };
}

async function launch(file: string, command: string | undefined, options: MediaServerOptions): Promise<Running> {
  const pauses = JSON.stringify({ ...testPauses, ...options.pauses });
  return start({
    name: command ? 'mediamtx' : 'the stand-in for MediaMTX',
    command: command ?? process.execPath,
    args: command ? [file] : [standIn, file, pauses],
    // The API is the last to listen in both.
    removeOnDeath: dirname(file),
    ready: command ? /\[API\] started/ : / started$/,
  });
}

/** Writes key and certificate; the keys of the configuration that name them. */
async function secure(directory: string, { key, cert }: Certificate): Promise<Record<string, unknown>> {
  const [rtspServerKey, rtspServerCert] = [join(directory, 'server.key'), join(directory, 'server.crt')];
  await Promise.all([writeFile(rtspServerKey, key, { mode: 0o600 }), writeFile(rtspServerCert, cert)]);
  return { rtspEncryption: 'optional', rtspServerKey, rtspServerCert };
}

async function launchAnywhere(directory: string, command: string | undefined, options: MediaServerOptions) {
  const file = join(directory, 'mediamtx.json');
  for (let attempt = 1; ; attempt += 1) {
    const ports = await freePorts();
    await writeFile(file, JSON.stringify(configOf(ports, options)));
    try {
      return { file, ports, running: await launch(file, command, options) };
    } catch (error) {
      if (attempt === 3 || !/address already in use|EADDRINUSE/i.test(String(error))) throw error;
    }
  }
}

/**
 * Starts a media server on 127.0.0.1: the stand-in, or MediaMTX itself where that is asked for.
 * @throws Error with its last output, or where there is no `mediamtx`
 */
export async function startMediaServer(options: MediaServerOptions = {}): Promise<MediaServer> {
  const real = options.real ?? process.env.MEDIA_SERVER === 'mediamtx';
  const command = real ? await mediamtxCommand() : undefined;
  if (real && !command)
    throw new Error('mediamtx is needed on the PATH: https://github.com/bluenviron/mediamtx/releases');
  const directory = await mkdtemp(join(tmpdir(), 'trigate-media-'));
  const removeFiles = () => rm(directory, { recursive: true, force: true });
  const certificate = options.tls ? selfSigned() : undefined;
  const config = { ...options.config, ...(certificate && (await secure(directory, certificate))) };
  const first = await launchAnywhere(directory, command, { ...options, config }).catch(async (error) => {
    await removeFiles();
    throw error;
  });
  const { file, ports } = first;
  let { running } = first;
  const apiUrl = `http://127.0.0.1:${ports.api}`;
  return {
    kind: command ? 'mediamtx' : 'stand-in',
    apiUrl,
    rtspUrl: `rtsp://127.0.0.1:${ports.rtsp}`,
    rtspsUrl: `rtsps://127.0.0.1:${ports.rtsps}`,
    fingerprint: certificate?.fingerprint ?? '',
    hlsUrl: `http://127.0.0.1:${ports.hls}`,
    webrtcUrl: `http://127.0.0.1:${ports.webrtc}`,
    configFile: file,
    get pid() {
      return running.pid;
    },
    output: () => running.output(),
    kill: (signal = 'SIGKILL') => running.kill(signal),
    async restart() {
      await running.stop();
      running = await launch(file, command, options);
    },
    async stop() {
      await running.stop();
      await removeFiles();
    },
    async calls() {
      if (command) throw new Error('mediamtx does not count its calls: ask the stand-in');
      return (await (await fetch(`${apiUrl}/stand-in/calls`)).json()) as Record<string, number>;
    },
  };
}
