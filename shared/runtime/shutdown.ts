import { setTimeout as pause } from 'node:timers/promises';
import type { Log } from './log.ts';
import type { Readiness } from './operator.ts';

const limitMs = 27_000;

export interface ShutdownPlan {
  log: Log;
  readiness: Readiness;
  /** Milliseconds new work is still served after `/ready` says no. */
  drainDelayMs: number;
  /** What is stopped, in order; a step that fails does not keep the later ones from running. */
  steps: readonly (readonly [name: string, stop: () => Promise<unknown> | undefined])[];
}

/** Ends what a process started. Never rejects; at most 27 s after the delay. */
export async function drain({ log, readiness, drainDelayMs, steps }: ShutdownPlan): Promise<void> {
  readiness.draining = true;
  await pause(drainDelayMs);
  const deadline = AbortSignal.timeout(limitMs);
  const late = new Promise<void>((resolve) => deadline.addEventListener('abort', () => resolve()));
  const all = async () => {
    for (const [name, stop] of steps) {
      await Promise.resolve(stop()).catch((err) => log.warn({ err, step: name }, 'a part did not stop cleanly'));
    }
  };
  await Promise.race([all(), late]);
  if (deadline.aborted) log.warn('what still ran at the end of the drain was cut off');
}

const parentCheckMs = 500;

/**
 * On SIGTERM or SIGINT the plan runs and the process exits 0; a second signal ends it at once.
 * @param byNpm whether npm started this process: npm passes a signal on to the shell between them only, so the end of
 *   that shell counts as the signal
 */
export function drainOnSignals(plan: ShutdownPlan, byNpm: boolean): void {
  let asked = false;
  const end = (signal: NodeJS.Signals | 'parent') => {
    if (asked) process.exit(1);
    asked = true;
    plan.log.info({ signal }, 'draining');
    drain(plan).then(() => process.exit(0));
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
  if (!byNpm) return;
  const parent = process.ppid;
  const check = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(check);
    if (!asked) end('parent');
  }, parentCheckMs);
  check.unref();
}

/** What nobody foresaw ends the process, with its reason; whoever runs it starts it again. */
export function exitOnSurprises(log: Log): void {
  const end = (err: unknown) => {
    log.fatal({ err }, 'an error nobody handled');
    process.exit(1);
  };
  process.on('uncaughtException', end);
  process.on('unhandledRejection', end);
}
