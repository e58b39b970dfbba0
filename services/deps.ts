import type { ServiceSchema } from 'moleculer';
import type { Registry } from 'prom-client';
import type { Call, EventDetails, EventDomain, EventName } from '../shared/contracts/index.ts';
import type { Bus } from '../shared/fanout/bus.ts';
import type { Config } from '../shared/runtime/config.ts';
import type { Keyring } from '../shared/runtime/keyring.ts';
import type { Log } from '../shared/runtime/log.ts';
import type { Vault } from '../shared/runtime/vault.ts';
import type { Collections } from '../shared/store/collection.ts';

/** What every service is built from; the mains make it once per process. */
export interface ServiceDeps {
  config: Config;
  log: Log;
  stores: Collections;
  bus: Bus;
  emit: Emit;
  /** Calls of the service itself, outside any request, with an administrator's rights; possible once the broker runs. */
  call: Call;
  keyring: Keyring;
  vault: Vault;
  /** Of the process: a service adds its own metrics. */
  registry: Registry;
  /** Tells the operator something once, such as a generated password. */
  announce(line: string): void;
}

/** Publishes a service event; resolves once it is stored, so that it can be awaited before a command answers. */
export type Emit = <D extends EventDomain, E extends EventName<D>>(
  domain: D,
  event: E,
  entity: string | null,
  details: EventDetails<D, E>,
  /** For events whose contract says `named`: user ids, or null for every user. */
  named?: readonly string[] | null,
  /** The same id twice within two minutes is one event. */
  id?: string,
) => Promise<void>;

/** A service: its Moleculer schemas, and what it does before the first call and after the last. */
export interface RunningService {
  schemas: ServiceSchema[];
  stop?(): Promise<void>;
}
export type StartService = (deps: ServiceDeps) => Promise<RunningService>;
