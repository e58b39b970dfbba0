import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../../test/servers/ports.ts';
import { type Running, start } from '../../test/servers/process.ts';
import type { Contender } from './contender.types.ts';

const root = new URL('../..', import.meta.url).pathname;
const readyMs = 30_000;

/** Stops things in the reverse order of their start, whatever one of them does. */
export class Started {
  readonly #stops: (() => Promise<unknown>)[] = [];
  readonly pids: number[] = [];
  readonly helperPids: number[] = [];

  add<T extends { stop(): Promise<unknown> }>(server: T): T {
    this.#stops.push(() => server.stop());
    return server;
  }

  /** A server that is no part of a contender. */
  helper<T extends { pid: number; stop(): Promise<unknown> }>(server: T): T {
    this.helperPids.push(server.pid);
    return this.add(server);
  }

  contender(urls: Contender['urls']): Contender {
    return { urls, pids: this.pids, helperPids: this.helperPids, stop: () => this.stop() };
  }

  /** Runs a file of the project on this Node.js; its CPU time counts as the contender's. */
  async node(name: string, args: readonly string[], env: NodeJS.ProcessEnv, ready: () => Promise<boolean>) {
    const options = {
      name,
      command: process.execPath,
      args: [...profiling(), ...args],
      env: { ...base(), ...env },
      cwd: root,
      ready,
    };
    const running: Running = this.add(await start({ ...options, timeout: readyMs }));
    this.pids.push(running.pid);
  }

  async stop(): Promise<void> {
    for (const stop of this.#stops.reverse()) await stop().catch(() => undefined);
  }
}

/** BENCH_PROFILE names a folder for CPU profiles of every process that is measured. */
export const profiling = (): string[] =>
  process.env.BENCH_PROFILE ? ['--cpu-prof', '--cpu-prof-dir', process.env.BENCH_PROFILE] : [];

/** Settings of the shell that started the bench are not part of what is measured. */
const base = (): NodeJS.ProcessEnv => ({ PATH: process.env.PATH, HOME: process.env.HOME, NODE_ENV: 'production' });

/** As many free ports, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) ports.add(await freePort());
  return [...ports];
}

/** Whether GET answers with the status. */
export const answers =
  (url: string, status: number, headers: Record<string, string> = {}) =>
  async (): Promise<boolean> => {
    try {
      const response = await fetch(url, { headers, signal: AbortSignal.timeout(2_000) });
      await response.arrayBuffer();
      return response.status === status;
    } catch {
      return false;
    }
  };

/** @throws Error when it is not so within the time a contender has to get ready */
export async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + readyMs;
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error(`${what}: not within ${readyMs} ms`);
    await delay(50);
  }
}
