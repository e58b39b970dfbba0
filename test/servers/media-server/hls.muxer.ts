import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { log } from './log.ts';
import type { Track } from './rtsp.sdp.ts';
import { parameterSet } from './rtsp.sdp.ts';

export interface MuxerOptions {
  path: string;
  /** Where it reads the path, as a part of the server itself. */
  url: string;
  /** Its own: created here, and removed at the end. */
  directory: string;
  tracks: readonly Track[];
  /** Milliseconds after the last request at which it ends. */
  closeAfterMs: number;
  /** Called once, when it has ended. */
  gone(reason: string): void;
}

const playlist = 'main_stream.m3u8';
const segment = /^segment\d{1,9}\.ts$/;
/** Until the first segment is there: two keyframes must come. */
const firstSegmentMs = 20_000;

/** Cuts a path into HLS segments of half a second, or what is between two keyframes, with an ffmpeg that copies, for as long as somebody fetches them. */
export class HlsMuxer {
  readonly created = new Date().toISOString();
  readonly #options: MuxerOptions;
  readonly #ready: Promise<boolean>;
  #child: ChildProcess | undefined;
  #timer: NodeJS.Timeout | undefined;
  #over = false;
  #lastRequest = new Date();
  bytes = 0;

  constructor(options: MuxerOptions) {
    this.#options = options;
    this.touch();
    this.#ready = this.#start();
  }

  /** Somebody uses it. */
  touch(): void {
    this.#lastRequest = new Date();
    clearTimeout(this.#timer);
    if (!this.#over) this.#timer = setTimeout(() => this.close('not used anymore'), this.#options.closeAfterMs);
  }

  /** The playlist of all, with the name of the one that lists segments; undefined where none could be made. */
  async index(): Promise<string | undefined> {
    if (!(await this.#ready)) return undefined;
    const codecs = codecsOf(this.#options.tracks);
    return `#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-INDEPENDENT-SEGMENTS\n\n#EXT-X-STREAM-INF:BANDWIDTH=400000${codecs}\n${playlist}\n`;
  }

  /** A playlist or a segment; undefined where there is none of this name. */
  async file(name: string): Promise<Buffer | undefined> {
    if (name !== playlist && !segment.test(name)) return undefined;
    return readFile(join(this.#options.directory, name)).catch(() => undefined);
  }

  close(reason: string): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#timer);
    log(`[HLS] [muxer ${this.#options.path}] ended: ${reason}`);
    this.#child?.kill('SIGKILL');
    void rm(this.#options.directory, { recursive: true, force: true });
    this.#options.gone(reason);
  }

  item(): Record<string, unknown> {
    return {
      path: this.#options.path,
      created: this.created,
      lastRequest: this.#lastRequest.toISOString(),
      outboundBytes: this.bytes,
      outboundFramesDiscarded: 0,
      bytesSent: this.bytes,
    };
  }

  async #start(): Promise<boolean> {
    const { directory, url } = this.#options;
    await mkdir(directory, { recursive: true });
    // The description tells the size: hardly anything has to be seen of the pictures, and what was seen is kept.
    const input = ['-rtsp_transport', 'tcp', '-probesize', '200000', '-analyzeduration', '100000'];
    const hls = ['-f', 'hls', '-hls_time', '0.5', '-hls_list_size', '7', '-hls_flags', 'delete_segments+temp_file'];
    const files = ['-hls_segment_filename', join(directory, 'segment%d.ts'), join(directory, playlist)];
    const args = [
      '-hide_banner',
      '-nostdin',
      '-loglevel',
      'error',
      ...input,
      '-i',
      url,
      '-c',
      'copy',
      ...hls,
      ...files,
    ];
    this.#child = spawn('ffmpeg', args, { stdio: ['ignore', 'inherit', 'inherit'] });
    this.#child.once('error', (error) => this.close(`ffmpeg: ${error.message}`));
    this.#child.once('exit', () => this.close('the stream has ended'));
    const deadline = Date.now() + firstSegmentMs;
    while (!this.#over && Date.now() < deadline) {
      // Whoever waits uses it.
      this.touch();
      if (await this.file(playlist)) return true;
      await delay(50);
    }
    this.close('no segment came');
    return false;
  }
}

function codecsOf(tracks: readonly Track[]): string {
  const codecs = tracks.flatMap((track) => {
    if (track.kind === 'audio') return ['mp4a.40.2'];
    const set = parameterSet(track);
    return set.length > 3 ? [`avc1.${set.subarray(1, 4).toString('hex')}`] : [];
  });
  return codecs.length > 0 ? `,CODECS="${codecs.join(',')}"` : '';
}
