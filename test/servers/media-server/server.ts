import { randomBytes } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { ApiServer, type Lists } from './api.server.ts';
import { Authenticator } from './auth.ts';
import { type ConfigState, ConfigStore } from './config.store.ts';
import { durationMs } from './config.ts';
import { HlsServer } from './hls.server.ts';
import { Hooks } from './hooks.ts';
import { log } from './log.ts';
import { PathManager } from './path.manager.ts';
import { Pattern } from './pattern.ts';
import { RtspServer } from './rtsp.server.ts';

/** What the real server has no settings for. Milliseconds. */
export interface Pauses {
  /** The longest pause before a denied attempt with credentials is answered; the real server's is 4 s. */
  maxAuthPauseMs: number;
  /** Between attempts at a source or a forwarding target; the real server's is 5 s. */
  retryMs: number;
}

export const realPauses: Pauses = { maxAuthPauseMs: 4_000, retryMs: 5_000 };

const version = 'v1.20.1';
/** Settings of which a change recreates the servers and throws everybody out. */
const recreates = /^(auth(?!InternalUsers)|api|rtsp|hls|read|write|udp|runOn|log)/;

/**
 * A stand-in for a MediaMTX 1.20: what a control plane sees of it, and video over RTSP(S) and HLS.
 * Not served, and said so where it is asked for: UDP transports, viewers over RTMP, SRT, WebRTC and MoQ (their lists are
 * empty), sources but RTSP and WHEP (of which media is a test pattern), forwarding but over RTSP, `alwaysAvailable`, JWT,
 * HTTPS. Recording is configured but nothing is written. It redacts bearer tokens and passphrases, which 1.20.1 tells.
 */
export class MediaServer {
  readonly #config: ConfigStore;
  readonly #hooks = new Hooks();
  readonly #manager: PathManager;
  readonly #api: ApiServer;
  readonly #secret = `stand-in=${randomBytes(16).toString('hex')}`;
  #rtsp: RtspServer | undefined;
  #rtsps: RtspServer | undefined;
  #hls: HlsServer | undefined;
  readonly #directory: string;

  /**
   * `directory` is for HLS; it need not be there.
   * @throws Error where the configuration is not valid
   */
  constructor(text: string, directory: string, pauses: Pauses = realPauses) {
    this.#directory = directory;
    this.#config = new ConfigStore(text, (before, after, keep) => this.#change(before, after, keep));
    const global = () => this.#config.global;
    const authenticator = new Authenticator(global, pauses.maxAuthPauseMs);
    const pattern = new Pattern();
    this.#manager = new PathManager({
      hooks: this.#hooks,
      authenticator,
      global,
      retryMs: pauses.retryMs,
      readPattern: (ready, signal) => pattern.read(ready, signal),
    });
    this.#api = new ApiServer({
      version,
      started: new Date().toISOString(),
      config: this.#config,
      authenticator,
      lists: this.#lists(),
      kick: {
        rtspsessions: (id) => kick(this.#rtsp, id),
        rtspssessions: (id) => kick(this.#rtsps, id),
        hlssessions: (id) => this.#hls?.kick(id) ?? false,
        rtmpconns: () => false,
        webrtcsessions: () => false,
        srtconns: () => false,
        moqsessions: () => false,
      },
      forwards: (path) => this.#manager.path(path)?.forwardItems(),
    });
  }

  async start(): Promise<void> {
    this.#manager.reload(this.#config.paths);
    await this.#startListeners();
    await this.#api.start(this.#config.global.apiAddress);
    log('started');
  }

  /** The configuration file has changed: what came by the API is gone. */
  reload(text: string): Promise<void> {
    return this.#config.reload(text);
  }

  async stop(): Promise<void> {
    await this.#api.close();
    await this.#stopListeners();
    this.#manager.closeAll();
    await this.#hooks.settled(3_000);
  }

  async #startListeners(): Promise<void> {
    const { rtsp, rtspEncryption, rtspAddress, rtspsAddress, rtspAuthMethods, readTimeout } = this.#config.global;
    const options = {
      manager: this.#manager,
      digest: rtspAuthMethods.includes('digest'),
      secret: this.#secret,
      readTimeoutMs: durationMs(readTimeout),
    };
    const { rtspServerKey: key, rtspServerCert: cert } = this.#config.global;
    this.#rtsp = rtsp && rtspEncryption !== 'strict' ? new RtspServer({ ...options, address: rtspAddress }) : undefined;
    this.#rtsps =
      rtsp && rtspEncryption !== 'no'
        ? new RtspServer({ ...options, address: rtspsAddress, tls: { key, cert } })
        : undefined;
    this.#hls = this.#createHls();
    await Promise.all([this.#rtsp?.start(), this.#rtsps?.start(), this.#hls?.start()]);
  }

  #createHls(): HlsServer | undefined {
    const { hls, hlsAddress, rtspAddress, hlsMuxerCloseAfter } = this.#config.global;
    if (!hls) return undefined;
    const port = rtspAddress.split(':').at(-1);
    return new HlsServer({
      address: hlsAddress,
      manager: this.#manager,
      inside: (path) => `rtsp://127.0.0.1:${port}/${path}?${this.#secret}`,
      directory: this.#directory,
      muxerCloseAfterMs: durationMs(hlsMuxerCloseAfter),
    });
  }

  async #stopListeners(): Promise<void> {
    await Promise.all([this.#hls?.close(), this.#rtsp?.close(), this.#rtsps?.close()]);
  }

  /** Some changes recreate the servers, the API's among them. */
  async #change(before: ConfigState, after: ConfigState, keep: () => void): Promise<void> {
    const changed = Object.keys(after.global).filter(
      (key) => !isDeepStrictEqual(before.global[key], after.global[key]),
    );
    if (!changed.some((field) => recreates.test(field))) {
      this.#manager.reload(after.paths);
      return keep();
    }
    log(`configuration has changed: ${changed.join(', ')}`);
    await this.#api.close();
    await this.#stopListeners();
    this.#manager.closeAll();
    keep();
    this.#manager.reload(after.paths);
    await this.#startListeners();
    await this.#api.start(after.global.apiAddress);
  }

  #lists(): Lists {
    const { rtsp, rtspEncryption, hls, rtmp, webrtc, srt, moq } = this.#config.global;
    const none = (): Record<string, unknown>[] => [];
    const items = (list: () => { item(): Record<string, unknown> }[] | undefined) => () =>
      (list() ?? []).map((entry) => entry.item());
    const plain = rtsp && rtspEncryption !== 'strict';
    const secure = rtsp && rtspEncryption !== 'no';
    return {
      paths: () => this.#manager.paths.map((path) => path.item()),
      rtspconns: plain ? items(() => this.#rtsp?.connections) : undefined,
      rtspsessions: plain ? items(() => this.#rtsp?.sessions) : undefined,
      rtspsconns: secure ? items(() => this.#rtsps?.connections) : undefined,
      rtspssessions: secure ? items(() => this.#rtsps?.sessions) : undefined,
      rtmpconns: rtmp ? none : undefined,
      webrtcsessions: webrtc ? none : undefined,
      srtconns: srt ? none : undefined,
      moqsessions: moq ? none : undefined,
      hlsmuxers: hls ? items(() => this.#hls?.muxers) : undefined,
      hlssessions: hls ? items(() => this.#hls?.sessions) : undefined,
      recordings: none,
    };
  }
}

function kick(server: RtspServer | undefined, id: string): boolean {
  const session = server?.sessions.find((one) => one.id === id);
  session?.close('kicked');
  return session !== undefined;
}
