import type { MediaApi, Session } from './media.api.ts';
import type { LivePath } from './media.schemas.ts';
import type { PathConf } from './paths.rules.ts';

/** Port of a protocol, and whether it is spoken over TLS; null where the server has it off. */
export interface Listener {
  port: number;
  secure: boolean;
}

/** What a media server offers to viewers. Where RTSP or RTMP is on both ways, the plain one. */
export interface Protocols {
  rtsp: Listener | null;
  rtmp: Listener | null;
  hls: Listener | null;
  webrtc: Listener | null;
  srt: Listener | null;
  /** RTP and RTCP of RTSP over UDP; null where UDP is off. */
  rtp: number | null;
  rtcp: number | null;
}

/** One media server as this process sees it. */
export interface MediaServer {
  /** Derived from the API's URL, so it is the same in every process and after each start. */
  readonly id: string;
  /** Host name or address under which we reach it, its API aside. */
  readonly address: string;
  /** Host name or address under which viewers reach it. */
  readonly host: string;
  /** Whether it answers and can be used: it is new enough and asks us who may read. */
  readonly alive: boolean;
  /** Why it is not alive, as a sentence without secrets; null while it is. */
  readonly problem: string | null;
  readonly version: string | null;
  /** When it started, ISO: another value is another life, which began without our paths. */
  readonly started: string | null;
  readonly protocols: Protocols | null;
  /** Where it reaches its own RTSP, for `feedPath`: `127.0.0.1:8554`. Null until it was alive once. */
  readonly rtsp: string | null;
  readonly api: MediaApi;
  /** Names we want for paths that are somebody else's, as of the last comparison. */
  readonly taken: ReadonlySet<string>;
  /**
   * Whether a path of this name is there and Trigate's, or somebody else's; at most 100 ms old: callers that come
   * together share one question, which keeps no change of the server waiting. @throws MediaError
   */
  whose(name: string): Promise<'ours' | 'foreign' | 'nobody'>;
  /**
   * Live state by name, at most 2 s old; callers that come together share one question to the server.
   * @throws MediaError
   */
  paths(): Promise<ReadonlyMap<string, LivePath>>;
  /** Sessions of readers and publishers on every protocol that is on. @throws MediaError */
  sessions(): Promise<Session[]>;
  /** One call as a rule. Write what is wanted to the store first. @throws MediaError */
  put(name: string, conf: PathConf): Promise<void>;
  /** One call. @throws MediaError */
  remove(name: string): Promise<void>;
  /** Compares everything soon, and resolves when it is done. @throws MediaError */
  reconcile(): Promise<void>;
}

/**
 * - alive: it can be used; paths it lacks are being added, which takes a server with a thousand of them half a minute.
 * - dead: 3 s without an answer, or it cannot be used (`problem`).
 * - restarted: its paths were lost and have been added again, feeds too as far as they are wanted; readers are gone.
 */
export type FleetEvent = 'alive' | 'dead' | 'restarted';

export interface Fleet {
  /** In the order of the configuration. */
  readonly servers: readonly MediaServer[];
  server(id: string): MediaServer | undefined;
  /** Returns how to stop listening. */
  on(event: FleetEvent, listener: (server: MediaServer) => void): () => void;
  start(): void;
  stop(): Promise<void>;
}
