import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Running, start } from '../servers/process.ts';

const root = new URL('../..', import.meta.url).pathname;
const startMs = 40_000;

/** A process of the product as an operator runs it; it can be killed and started again as it was. */
export interface ProductProcess {
  readonly name: string;
  /** Of the run that is on, or was last. */
  readonly running: Running;
  /** Where `/live`, `/ready` and `/metrics` answer. */
  readonly operatorUrl: string;
  kill(signal: NodeJS.Signals): Promise<void>;
  /** SIGTERM; resolves when it has ended. */
  stop(): Promise<void>;
  /** Starts it again with the same command and variables, and waits until it is ready. */
  restart(): Promise<void>;
  /** Resolves when `/ready` is 200. @throws Error with the last answer after the milliseconds given */
  ready(withinMs?: number): Promise<void>;
}

export interface ProductCommand {
  name: string;
  /** What follows `node`. */
  args: readonly string[];
  env: NodeJS.ProcessEnv;
  operatorUrl: string;
}

/**
 * Only what a process needs of the surroundings: what a developer has set for an own Trigate must not leak in, nor is a
 * `mediamtx` of the PATH to be run beside each.
 */
export const plainEnv = (): NodeJS.ProcessEnv => ({ PATH: pathWithout('mediamtx'), HOME: process.env.HOME });

const pathWithout = (command: string): string =>
  (process.env.PATH ?? '')
    .split(delimiter)
    .filter((directory) => !existsSync(join(directory, command)))
    .join(delimiter);

async function readyAnswer(url: string): Promise<{ status: number; text: string }> {
  try {
    const response = await fetch(`${url}/ready`, { signal: AbortSignal.timeout(2_000) });
    return { status: response.status, text: await response.text() };
  } catch (error) {
    return { status: 0, text: String(error) };
  }
}

const isReady = async (url: string): Promise<boolean> => (await readyAnswer(url)).status === 200;

/** @throws Error with the last output of a process that does not get ready within 20 s */
export async function startProduct({ name, args, env, operatorUrl }: ProductCommand): Promise<ProductProcess> {
  const launch = () =>
    start({
      name,
      command: process.execPath,
      args,
      cwd: root,
      env: { ...plainEnv(), ...env },
      ready: () => isReady(operatorUrl),
      timeout: startMs,
    });
  let running = await launch();
  return {
    name,
    operatorUrl,
    get running() {
      return running;
    },
    kill: (signal) => running.kill(signal),
    stop: () => running.stop(),
    async restart() {
      await running.stop();
      running = await launch();
    },
    async ready(withinMs = startMs) {
      const deadline = Date.now() + withinMs;
      for (;;) {
        const { status, text } = await readyAnswer(operatorUrl);
        if (status === 200) return;
        if (Date.now() > deadline) throw new Error(`${name} is not ready: ${status} ${text}\n${running.output()}`);
        await delay(50);
      }
    },
  };
}
