import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';

export interface StartOptions {
  /** How messages name it. */
  name: string;
  command: string;
  args: readonly string[];
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  /** Ready when a line of output matches, or when the predicate (asked every 50 ms) says so. */
  ready: RegExp | (() => Promise<boolean>);
  /** Milliseconds it may take to get ready; 40 s. */
  timeout?: number;
  /** A directory that is removed should this process (the test's) die without stopping the child. */
  removeOnDeath?: string;
}

export interface Running {
  readonly pid: number;
  /** The last lines of stdout and stderr, at most 100. */
  output(): string;
  /** Resolves to the first line that matches, one already printed included. It may never come: race it. */
  line(pattern: RegExp): Promise<string>;
  /** Settles when the process has ended. */
  readonly ended: Promise<void>;
  /** Null while it runs, and where a signal ended it. */
  readonly exitCode: number | null;
  /** SIGTERM, and SIGKILL where it has not ended 5 s later. Resolves when it has ended. */
  stop(): Promise<void>;
  /** Sends the signal; resolves when the process has ended, or at once for SIGSTOP, SIGCONT and the like. */
  kill(signal: NodeJS.Signals): Promise<void>;
}

const outputLines = 100;
const deadly: readonly NodeJS.Signals[] = ['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGABRT'];

/**
 * Jest gives tests a copy of `process` that sees no `exit`, and a worker may be killed outright. So a shell waits for
 * the end of a pipe that only this process holds, and then kills the child.
 */
function guard(pid: number, directory: string | undefined): () => void {
  const script = 'read _; kill -9 "$1" 2>/dev/null; if [ -n "$2" ]; then rm -rf "$2"; fi';
  const stdio: ['pipe', 'ignore', 'ignore'] = ['pipe', 'ignore', 'ignore'];
  const watcher = spawn('sh', ['-c', script, 'guard', String(pid), directory ?? ''], { stdio, detached: true });
  watcher.on('error', () => {});
  watcher.stdin.on('error', () => {});
  watcher.unref();
  (watcher.stdin as unknown as Socket).unref();
  return () => {
    watcher.kill('SIGKILL');
  };
}

class Child implements Running {
  readonly ended: Promise<void>;
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  readonly #listeners = new Set<(line: string) => void>();
  #over = false;

  constructor(child: ChildProcess) {
    this.#child = child;
    this.ended = new Promise((resolve) => {
      const end = () => {
        this.#over = true;
        resolve();
      };
      child.once('error', (error) => {
        this.#keep(error.message);
        end();
      });
      child.once('exit', (code, signal) => {
        this.#keep(`ended with ${signal ?? `code ${code}`}`);
        // Its last words may still be in the pipe; a grandchild may hold the pipe open for long.
        setTimeout(end, 300).unref();
        child.once('close', end);
      });
    });
    for (const stream of [child.stdout, child.stderr]) {
      if (stream) createInterface({ input: stream }).on('line', (line) => this.#keep(line));
    }
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  get over(): boolean {
    return this.#over;
  }

  output(): string {
    return this.#lines.join('\n');
  }

  get exitCode(): number | null {
    return this.#child.exitCode;
  }

  line(pattern: RegExp): Promise<string> {
    const printed = this.#lines.find((line) => pattern.test(line));
    if (printed !== undefined) return Promise.resolve(printed);
    return new Promise((resolve) => {
      const look = (line: string) => {
        if (!pattern.test(line)) return;
        this.#listeners.delete(look);
        resolve(line);
      };
      this.#listeners.add(look);
    });
  }

  async stop(): Promise<void> {
    this.#signal('SIGTERM');
    const bound = new AbortController();
    const killing = delay(5_000, undefined, { signal: bound.signal }).then(() => this.#signal('SIGKILL'));
    killing.catch(() => {});
    await this.ended;
    bound.abort();
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    this.#signal(signal);
    if (deadly.includes(signal)) await this.ended;
  }

  #signal(signal: NodeJS.Signals): void {
    if (!this.#over) this.#child.kill(signal);
  }

  #keep(line: string): void {
    this.#lines.push(line);
    if (this.#lines.length > outputLines) this.#lines.shift();
    for (const listener of this.#listeners) listener(line);
  }
}

async function until(predicate: () => Promise<boolean>, over: () => boolean): Promise<void> {
  while (!over() && !(await predicate())) await delay(50);
}

/**
 * Starts a child process and waits until it is ready.
 * @throws Error with the child's last output where it ends first or is not ready in time; it is killed then.
 */
export async function start(options: StartOptions): Promise<Running> {
  const { name, command, args, env, cwd, ready, timeout = 40_000 } = options;
  const spawned = spawn(command, args, { env: env ?? process.env, cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  const child = new Child(spawned);
  if (child.pid > 0) void child.ended.then(guard(child.pid, options.removeOnDeath));
  const bound = new AbortController();
  let late = false;
  const expiry = delay(timeout, undefined, { signal: bound.signal }).then(
    () => {
      late = true;
    },
    () => {},
  );
  const isReady = ready instanceof RegExp ? child.line(ready) : until(ready, () => late || child.over);
  await Promise.race([isReady, child.ended, expiry]);
  bound.abort();
  if (!late && !child.over) return child;
  await child.kill('SIGKILL');
  throw new Error(`${name} ${late ? `was not ready within ${timeout} ms` : 'did not start'}:\n${child.output()}`);
}
