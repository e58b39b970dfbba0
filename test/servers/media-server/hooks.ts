import { type ChildProcess, spawn } from 'node:child_process';
import { log } from './log.ts';

export type HookEnvironment = Record<string, string>;

/** A command that runs until it ends or is stopped. */
export interface Hook {
  /** SIGINT to the command and all it started. */
  stop(): void;
}

const restartPauseMs = 5_000;

/** Splits as a shell does: blanks, quotes and backslashes, nothing else. @throws Error where a quote is not closed */
export function splitCommand(text: string): string[] {
  const token = /\s*(?:((?:"(?:\\[\s\S]|[^"\\])*"|'[^']*'|\\[\s\S]|[^\s"'\\])+)|$)/y;
  const piece = /"((?:\\[\s\S]|[^"\\])*)"|'([^']*)'|\\([\s\S])|([^\s"'\\]+)/g;
  const parts: string[] = [];
  while (token.lastIndex < text.length) {
    const found = token.exec(text);
    if (!found) throw new Error('a quote is not closed');
    if (found[1] === undefined) break;
    parts.push(
      found[1].replace(piece, (_all, double?: string, single?: string, escaped?: string, plain?: string) =>
        double !== undefined ? double.replace(/\\(["\\$`])/g, '$1') : (single ?? escaped ?? plain ?? ''),
      ),
    );
  }
  return parts;
}

/** Fills in `$NAME` and `${NAME}`: from the hook's variables, then from this process's. */
export const expand = (text: string, env: HookEnvironment): string =>
  text.replace(/\$(?:\{(\w+)\}|(\w+))/g, (_all, braced?: string, plain?: string) => {
    const name = braced ?? plain ?? '';
    return env[name] ?? process.env[name] ?? '';
  });

/** Runs hooks as child processes of their own groups, without a shell. */
export class Hooks {
  readonly #running = new Set<ChildProcess>();

  /** Starts a command; nothing where it is ''. With `restart` it is started again 5 s after its end. */
  run(name: string, command: string, env: HookEnvironment, restart = false): Hook | undefined {
    if (!command) return undefined;
    let stopped = false;
    let child: ChildProcess | undefined;
    let timer: NodeJS.Timeout | undefined;
    const launch = () => {
      child = this.#spawn(name, command, env, () => {
        if (restart && !stopped) timer = setTimeout(launch, restartPauseMs);
      });
    };
    launch();
    return {
      stop() {
        stopped = true;
        clearTimeout(timer);
        interrupt(child);
      },
    };
  }

  /** Resolves when no command runs any more, or after the milliseconds given. */
  async settled(ms: number): Promise<void> {
    const deadline = Date.now() + ms;
    while (this.#running.size > 0 && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20));
    for (const child of this.#running) child.kill('SIGKILL');
  }

  #spawn(name: string, command: string, env: HookEnvironment, onEnd: () => void): ChildProcess | undefined {
    try {
      const [file = '', ...args] = splitCommand(command).map((part) => expand(part, env));
      const child = spawn(file, args, { env: { ...process.env, ...env }, stdio: 'inherit', detached: true });
      log(`${name} command started`);
      this.#running.add(child);
      let over = false;
      const end = (reason: string) => {
        if (over) return;
        over = true;
        this.#running.delete(child);
        log(`${name} command ended: ${reason}`);
        onEnd();
      };
      child.once('error', (error) => end(error.message));
      child.once('exit', (code, signal) => end(signal ?? `code ${code}`));
      return child;
    } catch (error) {
      log(`${name} command cannot be started: ${(error as Error).message}`);
      onEnd();
      return undefined;
    }
  }
}

function interrupt(child: ChildProcess | undefined): void {
  if (!child?.pid || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, 'SIGINT');
  } catch {
    // It has just ended.
  }
}
