import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { type MediaServer, type MediaServerOptions, startMediaServer } from './media-server.ts';
import { type Running, start } from './process.ts';

export interface PatternOptions {
  /** `320x240` unless given. */
  size?: string;
  /** Pictures a second; 10 unless given. A keyframe comes each half second. */
  rate?: number;
  /** A tone beside the picture. */
  audio?: boolean;
}

export interface Decoded {
  /** Pictures decoded, at most as many as were asked for. */
  frames: number;
  /** Milliseconds until the first, or null where none came. */
  firstMs: number | null;
  /** What the decoder complained about; '' where nothing. */
  error: string;
  /** A checksum of each picture: equal where the pictures are. */
  sums: string[];
}

const howTo = 'ffmpeg is needed on the PATH: `apt-get install ffmpeg`';

const isMissing = (error: unknown): boolean => /ENOENT/.test(String(error));

/**
 * Publishes a moving test pattern, H.264 without B-frames, until it is stopped. Resolves when pictures are on their way.
 * @throws Error with the last output of ffmpeg, or how to get it
 */
export async function publishPattern(rtspUrl: string, options: PatternOptions = {}): Promise<Running> {
  const { size = '320x240', rate = 10, audio = false } = options;
  const sound = audio ? ['-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=44100'] : [];
  const video = ['-c:v', 'libx264', '-profile:v', 'baseline', '-preset', 'ultrafast', '-tune', 'zerolatency'];
  const sent = ['-f', 'rtsp', '-rtsp_transport', 'tcp', rtspUrl];
  try {
    return await start({
      name: 'ffmpeg',
      command: 'ffmpeg',
      args: [
        ...['-hide_banner', '-nostats', '-loglevel', 'error', '-progress', 'pipe:1', '-stats_period', '0.1'],
        ...['-re', '-f', 'lavfi', '-i', `testsrc=size=${size}:rate=${rate}`, ...sound],
        ...['-pix_fmt', 'yuv420p', ...video, '-threads', '1', '-g', String(Math.ceil(rate / 2))],
        ...(audio ? ['-c:a', 'aac', '-b:a', '32k'] : []),
        ...sent,
      ],
      ready: /^frame=[1-9]/,
    });
  } catch (error) {
    if (isMissing(error)) throw new Error(howTo);
    throw error;
  }
}

/** Without `nobuffer`, which throws away the pictures that were looked at first: of HLS, a whole segment. */
const readOptions = ['-flags', 'low_delay', '-probesize', '200000', '-analyzeduration', '500000'];

/**
 * Reads and decodes pictures from RTSP, HLS or a file until `count` have come or `timeoutMs` are over.
 * `first` is called when one has.
 * @throws Error how to get ffmpeg
 */
export function decodeFrames(url: string, count = 5, timeoutMs = 15_000, first = () => {}): Promise<Decoded> {
  const isRtsp = url.startsWith('rtsp');
  const input = [...(isRtsp ? ['-rtsp_transport', 'tcp'] : []), ...readOptions, '-i', url];
  // One line for each decoded picture.
  const output = ['-an', '-frames:v', String(count), '-f', 'framecrc', '-flush_packets', '1', 'pipe:1'];
  const begun = Date.now();
  const child = spawn('ffmpeg', ['-hide_banner', '-nostdin', '-loglevel', 'error', ...input, ...output], {
    env: process.env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const result: Decoded = { frames: 0, firstMs: null, error: '', sums: [] };
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (line.startsWith('#')) return;
    if (result.frames === 0) first();
    result.firstMs ??= Date.now() - begun;
    result.frames += 1;
    result.sums.push(line.split(',').at(5)?.trim() ?? '');
  });
  child.stderr.on('data', (chunk) => {
    result.error = (result.error + chunk).slice(-2_000);
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
  return new Promise((resolve, reject) => {
    child.once('error', (error) => reject(isMissing(error) ? new Error(howTo) : error));
    child.once('close', () => {
      clearTimeout(timer);
      resolve({ ...result, error: result.error.trim() });
    });
  });
}

export interface CameraSourceOptions extends PatternOptions {
  /** Asked of whoever reads. */
  user?: string;
  password?: string;
  /** Asks by Digest, as most cameras do, instead of Basic. */
  digest?: boolean;
  /** Sends over RTSPS, with the certificate whose fingerprint the server tells. */
  tls?: boolean;
  /** Runs on the real server where true. */
  real?: boolean;
}

export interface CameraSource {
  /** With user and password, as a control plane is given it. */
  readonly url: string;
  readonly server: MediaServer;
  readonly pattern: Running;
  /** The picture stops, the camera stays; `resume()` brings it back. */
  interrupt(): Promise<void>;
  resume(): Promise<void>;
  stop(): Promise<void>;
}

const path = 'stream';

/** An RTSP camera as a server of its own that sends a test pattern. @throws Error how to get ffmpeg */
export async function cameraSource(options: CameraSourceOptions = {}): Promise<CameraSource> {
  const { user, password, digest, tls = false, real = false } = options;
  const publisher = { user: 'camera', pass: 'inside' };
  const secured: MediaServerOptions = user
    ? { users: [publisher, { user, pass: password ?? '' }], config: { rtspAuthMethods: [digest ? 'digest' : 'basic'] } }
    : {};
  const server = await startMediaServer({ real, tls, paths: { [path]: {} }, ...secured });
  const as = (url: string, name?: string, pass = '') =>
    `${name ? url.replace('//', `//${name}:${pass}@`) : url}/${path}`;
  const inside = user ? as(server.rtspUrl, publisher.user, publisher.pass) : as(server.rtspUrl);
  const outside = tls ? server.rtspsUrl : server.rtspUrl;
  const publish = () => publishPattern(inside, options);
  let pattern = await publish().catch(async (error) => {
    await server.stop();
    throw error;
  });
  return {
    url: as(outside, user && encodeURIComponent(user), encodeURIComponent(password ?? '')),
    server,
    get pattern() {
      return pattern;
    },
    interrupt: () => pattern.stop(),
    async resume() {
      await pattern.stop();
      pattern = await publish();
    },
    async stop() {
      await pattern.stop();
      await server.stop();
    },
  };
}
