import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { profiling } from '../lib/processes.ts';

const stopMs = 3_000;

/** A process of the bench, which answers lines with lines. */
export class Child {
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(args: readonly string[]) {
    this.#process = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.#process.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
  }

  /** @param file beside this one */
  static async node(file: string, ...args: readonly (string | number)[]): Promise<Child> {
    const child = new Child([...profiling(), new URL(file, import.meta.url).pathname, ...args.map(String)]);
    if ((await child.#line()) !== 'ready') throw new Error(`${file} did not get ready`);
    return child;
  }

  get pid(): number {
    return this.#process.pid as number;
  }

  async ask(line: string): Promise<Record<string, number>> {
    this.#process.stdin?.write(`${line}\n`);
    return JSON.parse(await this.#line()) as Record<string, number>;
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#process.kill('SIGTERM');
    const late = setTimeout(() => this.#process.kill('SIGKILL'), stopMs);
    await ended;
    clearTimeout(late);
  }

  async #line(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error('a process of the bench ended');
    return value;
  }
}
