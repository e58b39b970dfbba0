import { isDeepStrictEqual } from 'node:util';
import { badName, expressionOf } from './api.validation.ts';
import type { Attempt, Authenticator } from './auth.ts';
import { changesInPlace, durationMs, type GlobalConfig, type PathConfig } from './config.ts';
import type { Hooks } from './hooks.ts';
import { PathError, type Publisher, type Reader } from './path.item.ts';
import { Path } from './path.ts';
import type { Track } from './rtsp.sdp.ts';
import type { ReadPattern } from './source.whep.ts';
import type { Stream } from './stream.ts';

export type PathConfigs = ReadonlyMap<string, PathConfig>;

/** Somebody at the door of a path. `trusted`: a part of the server itself, who is not asked for credentials. */
export interface Access {
  attempt: Attempt;
  trusted?: boolean;
}

/** What a publisher is about to send, and what its path was configured with when it was admitted. */
export interface Announcement {
  path: string;
  query: string;
  announced: Track[];
  admitted: PathConfig | undefined;
}

interface Found {
  config: PathConfig;
  matches: readonly string[];
}

const isCatchAll = (name: string): boolean => name === 'all' || name === 'all_others';

/** Finds what a path is configured with: its own name, then expressions in order of their text. @throws PathError */
export function findConfig(configs: PathConfigs, name: string): Found {
  const own = configs.get(name);
  if (own) return { config: own, matches: [] };
  const reason = badName(name);
  if (reason) throw new PathError(`invalid path name: ${reason} (${name})`);
  const names = [...configs.keys()].filter((key) => key.startsWith('~') || isCatchAll(key)).sort();
  for (const key of [...names.filter((key) => !isCatchAll(key)), ...names.filter(isCatchAll)]) {
    const match = expressionOf(key)?.exec(name);
    if (match) return { config: configs.get(key) as PathConfig, matches: [...match].map((group) => group ?? '') };
  }
  throw new PathError(`path '${name}' is not configured`);
}

/** Whether a change from one configuration to another leaves publisher and readers where they are. */
function canReload(from: PathConfig, to: PathConfig): boolean {
  const fields = new Set([...Object.keys(from), ...Object.keys(to)]);
  return [...fields].every(
    (field) => field === 'name' || changesInPlace(field) || isDeepStrictEqual(from[field], to[field]),
  );
}

export interface PathManagerOptions {
  hooks: Hooks;
  authenticator: Authenticator;
  global(): GlobalConfig;
  retryMs: number;
  /** What comes instead of WebRTC's media; nothing does without. */
  readPattern?: ReadPattern;
}

const noPattern: ReadPattern = async () => {
  throw new Error('there is no pattern here');
};

/** All paths of the server; who wants to one comes through here and is checked. */
export class PathManager {
  readonly #options: PathManagerOptions;
  #configs: PathConfigs = new Map();
  readonly #paths = new Map<string, Path>();

  constructor(options: PathManagerOptions) {
    this.#options = options;
  }

  get paths(): Path[] {
    return [...this.#paths.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  path(name: string): Path | undefined {
    return this.#paths.get(name);
  }

  /** Whether the name has a configuration, and who asks is allowed in. @throws PathError, AuthError */
  async admit(access: Access): Promise<{ config: PathConfig; user: string }> {
    const { config } = findConfig(this.#configs, access.attempt.path);
    const user = access.trusted ? '' : await this.#options.authenticator.check(access.attempt);
    return { config, user };
  }

  /** The path, created where it is one of many. @throws PathError, AuthError */
  async enter(access: Access): Promise<{ path: Path; user: string }> {
    const { user } = await this.admit(access);
    return { path: this.#obtain(access.attempt.path), user };
  }

  /** @throws PathError, AuthError */
  async addReader(reader: Reader, access: Access): Promise<{ path: Path; stream: Stream; user: string }> {
    const { path, user } = await this.enter(access);
    return { path, stream: await path.addReader(reader, access.attempt.query), user };
  }

  /** Who was admitted before. @throws PathError */
  addPublisher(publisher: Publisher, { path: name, query, announced, admitted }: Announcement) {
    const { config } = findConfig(this.#configs, name);
    if (!isDeepStrictEqual(config, admitted)) throw new PathError('configuration has changed');
    const path = this.#obtain(name);
    return { path, stream: path.addPublisher(publisher, announced, query) };
  }

  /** Brings the paths to a new configuration. */
  reload(configs: PathConfigs): void {
    const former = this.#configs;
    this.#configs = configs;
    for (const path of this.paths) this.#reloadPath(path, former);
    for (const [name, config] of configs) {
      if (!expressionOf(name) && !this.#paths.has(name)) this.#create(name, { config, matches: [] });
    }
  }

  closeAll(): void {
    for (const path of this.paths) this.#close(path);
  }

  #reloadPath(path: Path, former: PathConfigs): void {
    const before = former.get(path.config.name) ?? path.config;
    try {
      const { config } = findConfig(this.#configs, path.name);
      if (isDeepStrictEqual(before, config)) return;
      if (canReload(before, config)) path.reload(config);
      else this.#close(path);
    } catch {
      this.#close(path);
    }
  }

  #obtain(name: string): Path {
    return this.#paths.get(name) ?? this.#create(name, findConfig(this.#configs, name));
  }

  #create(name: string, { config, matches }: Found): Path {
    const { hooks, retryMs, global, readPattern = noPattern } = this.#options;
    const { rtspAddress, readTimeout } = global();
    const path = new Path({
      name,
      config,
      matches,
      hooks,
      readPattern,
      rtspPort: rtspAddress.split(':').at(-1) ?? '',
      readTimeoutMs: durationMs(readTimeout),
      retryMs,
      idle: (unused) => this.#close(unused),
    });
    this.#paths.set(name, path);
    return path;
  }

  #close(path: Path): void {
    if (this.#paths.get(path.name) === path) this.#paths.delete(path.name);
    path.close();
  }
}
