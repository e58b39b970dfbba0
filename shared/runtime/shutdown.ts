import { setTimeout as pause } from 'node:timers/promises';
import type { Log } from './log.ts';
import type { Readiness } from './operator.ts';

/** Milliseconds from the signal to the end, the delay included; whoever stops processes counts from there as well. */
const limitMs = 29_000;

export interface ShutdownPlan {
  log: Log;
  readiness: Readiness;
  /** Milliseconds new work is still served after `/ready` says no. */
  drainDelayMs: number;
  /** What is stopped, in order; a step that fails does not keep the later ones from running. */
  steps: readonly (readonly [name: string, stop: () => Promise<unknown> | undefined])[];
}

/** Ends what a process started. Never rejects; at most 29 s, of which the delay has at most 20. */
export async function drain({ log, readiness, drainDelayMs, steps }: ShutdownPlan): Promise<void> {
  readiness.draining = true;
  const deadline = AbortSignal.timeout(limitMs);
  await pause(drainDelayMs);
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
/** Milliseconds after the first signal within which a second one is the same key press. */
const sameKeyMs = 1_000;

/**
 * On SIGTERM or SIGINT the plan runs and the process exits 0; a second signal ends it at once.
 * @param byNpm whether npm started this process. npm passes a signal on to the shell between them only, so the end of
 *   that shell counts as the signal; where the shell is bash, which becomes this process, Ctrl-C comes twice: from the
 *   terminal and from npm
 */
export function drainOnSignals(plan: ShutdownPlan, byNpm: boolean): void {
  let askedAt: number | undefined;
  const end = (signal: NodeJS.Signals | 'parent') => {
    const now = performance.now();
    if (askedAt !== undefined) {
      if (byNpm && now - askedAt < sameKeyMs) return;
      process.exit(1);
    }
    askedAt = now;
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
    if (askedAt === undefined) end('parent');
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
