import { setTimeout as delay } from 'node:timers/promises';
import { decodeBody } from './api.decode.ts';
import { completeGlobal, completePath, globalShape, pathShape } from './api.validation.ts';
import { type GlobalConfig, globalDefaults, type PathConfig, pathDefaults } from './config.ts';
import type { PathConfigs } from './path.manager.ts';

/** A write that is refused; `missing` is answered with 404. */
export class ConfigError extends Error {
  readonly missing: boolean;

  constructor(message: string, missing = false) {
    super(message);
    this.missing = missing;
  }
}

export interface ConfigState {
  global: GlobalConfig;
  /** What `pathDefaults` sets. */
  defaults: Record<string, unknown>;
  /** What each path sets itself. */
  given: ReadonlyMap<string, Record<string, unknown>>;
  paths: PathConfigs;
}

/** Brings the server to a new state; what is read of the configuration is the former until `keep` is called. */
export type Apply = (before: ConfigState, after: ConfigState, keep: () => void) => Promise<void>;

/** As the real server, a write is answered before it is there: the next read may still tell of the former state. */
const applyPauseMs = 5;

/** The configuration: loaded from the file as a whole, then changed by the API in memory only. */
export class ConfigStore {
  #state: ConfigState;
  readonly #apply: Apply;
  #applying: Promise<void> = Promise.resolve();

  /** @throws Error where the file's text is no valid configuration */
  constructor(text: string, apply: Apply) {
    this.#state = load(text);
    this.#apply = apply;
  }

  get global(): GlobalConfig {
    return this.#state.global;
  }

  get defaults(): PathConfig {
    return completeDefaults(this.#state.defaults);
  }

  get paths(): PathConfigs {
    return this.#state.paths;
  }

  /** Replaces everything with what the file holds now. @throws Error */
  reload(text: string): Promise<void> {
    return this.#write(() => load(text));
  }

  /** @throws Error */
  patchGlobal(body: string): Promise<void> {
    const given = decodeBody(body, globalShape);
    return this.#write((state) => ({ ...state, global: completeGlobal(state.global, given) }));
  }

  /** @throws Error */
  patchDefaults(body: string): Promise<void> {
    const fields = decodeBody(body, pathShape);
    return this.#write((state) => {
      const defaults = { ...state.defaults, ...fields };
      return { ...state, defaults, paths: completePaths(defaults, state.given) };
    });
  }

  /** @throws Error, ConfigError */
  add(name: string, body: string): Promise<void> {
    const fields = decodeBody(body, pathShape);
    return this.#write((state) => {
      if (state.given.has(name)) throw new ConfigError('path already exists');
      return withPath(state, name, fields);
    });
  }

  /** @throws Error, ConfigError */
  patch(name: string, body: string): Promise<void> {
    const fields = decodeBody(body, pathShape);
    return this.#write((state) => {
      const there = state.given.get(name);
      if (!there) throw new ConfigError('path not found', true);
      return withPath(state, name, { ...there, ...fields });
    });
  }

  /** @throws Error */
  replace(name: string, body: string): Promise<void> {
    const fields = decodeBody(body, pathShape);
    return this.#write((state) => withPath(state, name, fields));
  }

  /** @throws ConfigError */
  delete(name: string): Promise<void> {
    return this.#write((state) => {
      const [given, paths] = [new Map(state.given), new Map(state.paths)];
      if (!given.delete(name)) throw new ConfigError('path not found', true);
      paths.delete(name);
      return { ...state, given, paths };
    });
  }

  /** Resolves when the change is accepted; the next write waits until it is there. */
  async #write(change: (state: ConfigState) => ConfigState): Promise<void> {
    const accepted = this.#applying.then(() => change(this.#state));
    this.#applying = accepted.then(
      (after) => this.#bring(after),
      () => {},
    );
    await accepted;
  }

  async #bring(after: ConfigState): Promise<void> {
    await delay(applyPauseMs);
    await this.#apply(this.#state, after, () => {
      this.#state = after;
    });
  }
}

const aliases = ['all', 'all_others', '~^.*$'];

/** @throws Error */
function assertOneForAll(names: Iterable<string>): void {
  if ([...names].filter((name) => aliases.includes(name)).length > 1) {
    throw new Error("all_others, all and '~^.*$' are aliases");
  }
}

function withPath(state: ConfigState, name: string, fields: Record<string, unknown>): ConfigState {
  const config = completePath(name, completeDefaults(state.defaults), fields);
  assertOneForAll(new Set([...state.given.keys(), name]));
  return { ...state, given: new Map(state.given).set(name, fields), paths: new Map(state.paths).set(name, config) };
}

const completeDefaults = (defaults: Record<string, unknown>): PathConfig => ({ ...pathDefaults, ...defaults });

const completePaths = (defaults: Record<string, unknown>, given: ConfigState['given']): PathConfigs =>
  new Map([...given].map(([name, fields]) => [name, completePath(name, completeDefaults(defaults), fields)]));

/** Reads a configuration file: the real server's keys, as JSON (which is YAML too). */
function load(text: string): ConfigState {
  const { paths = {}, pathDefaults: fromFile = {}, ...rest } = JSON.parse(text) as Record<string, unknown>;
  const decode = (value: unknown, shape: typeof pathShape) => decodeBody(JSON.stringify(value ?? {}), shape);
  const global = completeGlobal(globalDefaults, decode(rest, globalShape));
  const defaults = decode(fromFile, pathShape);
  const entries = Object.entries(paths as Record<string, unknown>);
  assertOneForAll(entries.map(([name]) => name));
  const given = new Map(entries.map(([name, fields]) => [name, decode(fields, pathShape)]));
  return { global, defaults, given, paths: completePaths(defaults, given) };
}
