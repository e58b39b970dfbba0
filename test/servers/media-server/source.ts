import { setTimeout as delay } from 'node:timers/promises';
import type { PathConfig } from './config.ts';
import { log } from './log.ts';
import { RtspClient } from './rtsp.client.ts';
import type { Track } from './rtsp.sdp.ts';
import { pullWhep, type ReadPattern } from './source.whep.ts';
import type { Stream } from './stream.ts';

/** What a path fetches itself. */
export interface Source {
  /** As `rtspSource`. */
  readonly type: string;
  /** Fetches, and again some time after each failure, until it is stopped. */
  start(query: string): void;
  stop(): void;
}

export interface SourceParent {
  /** Media is about to come. */
  ready(tracks: Track[]): Stream;
  notReady(): void;
}

export interface SourceOptions {
  /** Of the path. */
  name: string;
  readTimeoutMs: number;
  retryMs: number;
  /** What comes instead of WebRTC's media. */
  readPattern: ReadPattern;
}

/** One attempt: resolves or rejects when it is over; `signal` ends it. */
type Attempt = (url: string, ready: SourceParent['ready'], signal: AbortSignal) => Promise<void>;

interface Kind {
  type: string;
  attempt: Attempt;
}

const unserved: Attempt = async (url) => {
  throw new Error(`the stand-in does not serve sources of '${url.split(':')[0]}'`);
};

const types: Record<string, string> = {
  rtmp: 'rtmpSource',
  rtmps: 'rtmpSource',
  http: 'hlsSource',
  https: 'hlsSource',
  srt: 'srtSource',
  moqt: 'moqSource',
  udp: 'mpegtsSource',
  'udp+mpegts': 'mpegtsSource',
  'udp+rtp': 'rtpSource',
};

function kindOf(config: PathConfig, { readTimeoutMs, readPattern }: SourceOptions): Kind | undefined {
  const { source, sourceFingerprint } = config;
  if (source === 'publisher' || source === 'redirect') return undefined;
  const scheme = source.split('://')[0] ?? '';
  if (scheme === 'rtsp' || scheme === 'rtsps') {
    const attempt: Attempt = (url, ready, signal) =>
      pullRtsp({ url, fingerprint: sourceFingerprint, readTimeoutMs }, ready, signal);
    return { type: 'rtspSource', attempt };
  }
  if (scheme === 'whep' || scheme === 'wheps') {
    return {
      type: 'webRTCSource',
      attempt: (url, ready, signal) => pullWhep({ url, config, readTimeoutMs, readPattern }, ready, signal),
    };
  }
  return { type: types[scheme] ?? 'rpiCameraSource', attempt: unserved };
}

async function pullRtsp(
  options: { url: string; fingerprint: string; readTimeoutMs: number },
  ready: SourceParent['ready'],
  signal: AbortSignal,
): Promise<void> {
  const client = new RtspClient(options);
  signal.addEventListener('abort', () => client.close());
  try {
    await client.pull(ready);
    await client.ended;
  } finally {
    client.close();
  }
}

/** The source of a path, or undefined where it waits for a publisher. */
export function createSource(
  config: PathConfig,
  matches: readonly string[],
  options: SourceOptions,
  parent: SourceParent,
): Source | undefined {
  const kind = kindOf(config, options);
  if (!kind) return undefined;
  let controller: AbortController | undefined;
  return {
    type: kind.type,
    start(query) {
      controller = new AbortController();
      const url = config.source
        .replace(/\$G(\d+)/g, (_all, group: string) => matches[Number(group)] ?? '')
        .replaceAll('$MTX_QUERY', query);
      void keepFetching(url, kind.attempt, controller.signal);
    },
    stop: () => controller?.abort(),
  };

  async function keepFetching(url: string, attempt: Attempt, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      let isReady = false;
      const ready = (tracks: Track[]) => {
        signal.throwIfAborted();
        isReady = true;
        return parent.ready(tracks);
      };
      const reason = await attempt(url, ready, signal).then(
        () => 'it ended',
        (error: Error) => error.message,
      );
      if (signal.aborted) return;
      log(`[path ${options.name}] source: ${reason}`);
      if (isReady) parent.notReady();
      await delay(options.retryMs, undefined, { signal }).catch(() => {});
    }
  }
}
