import { type ChildProcess, spawn } from 'node:child_process';
import { Authenticator } from './auth.ts';
import { globalDefaults, pathDefaults } from './config.ts';
import { Hooks } from './hooks.ts';
import { PathManager } from './path.manager.ts';
import { RtspServer } from './rtsp.server.ts';
import type { SourceParent } from './source.ts';
import type { Stream } from './stream.ts';

const name = 'pattern';

/**
 * A test pattern that ffmpeg publishes to a listener of its own, so that it ends when this process does, whichever way.
 * It runs while somebody reads it; all read the same.
 */
export class Pattern {
  readonly #manager: PathManager;
  #server: RtspServer | undefined;
  #child: ChildProcess | undefined;
  #readers = 0;

  constructor() {
    const global = () => globalDefaults;
    const options = { hooks: new Hooks(), authenticator: new Authenticator(global, 0), global, retryMs: 5_000 };
    this.#manager = new PathManager(options);
    const path = { ...pathDefaults, name, runOnDemand: 'true' };
    this.#manager.reload(new Map([[name, path]]));
  }

  /** Sends it on until `signal`. */
  async read(ready: SourceParent['ready'], signal: AbortSignal): Promise<void> {
    try {
      const from = await this.#enter();
      const to = ready([...from.tracks]);
      const stop = from.receive((packet) => to.write(packet));
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      stop();
    } finally {
      this.#leave();
    }
  }

  async #enter(): Promise<Stream> {
    this.#readers += 1;
    if (this.#readers === 1) await this.#start();
    const path = this.#manager.path(name);
    if (!path) throw new Error('the pattern has gone');
    return path.describe('');
  }

  #leave(): void {
    this.#readers -= 1;
    if (this.#readers > 0) return;
    this.#child?.kill('SIGKILL');
    void this.#server?.close();
  }

  async #start(): Promise<void> {
    const server = new RtspServer({
      address: '127.0.0.1:0',
      manager: this.#manager,
      digest: false,
      secret: 'nobody',
      readTimeoutMs: 10_000,
    });
    this.#server = server;
    await server.start();
    const url = `rtsp://127.0.0.1:${server.port}/${name}`;
    const video = ['-c:v', 'libx264', '-profile:v', 'baseline', '-preset', 'ultrafast', '-tune', 'zerolatency'];
    const input = ['-re', '-f', 'lavfi', '-i', 'testsrc=size=320x240:rate=10', '-pix_fmt', 'yuv420p'];
    const args = ['-nostdin', '-loglevel', 'error', ...input, ...video, '-threads', '1', '-g', '10'];
    const child = spawn('ffmpeg', [...args, '-f', 'rtsp', '-rtsp_transport', 'tcp', url], { stdio: 'inherit' });
    child.on('error', () => {});
    this.#child = child;
  }
}
