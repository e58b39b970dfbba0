import type { TrigateError } from './error.ts';

export interface ReconnectOptions {
  /** Attempts in a row before the connection is given up; default: without end. */
  attempts?: number;
  /** Milliseconds before the second attempt; default 500. Each later one waits twice as long. */
  minDelayMs?: number;
  /** Milliseconds no wait exceeds; default 5,000. */
  maxDelayMs?: number;
}

/**
 * Milliseconds until an attempt (1 is the first after the connection was lost): doubling, bounded, and spread by half
 * so that the clients of a gateway that died do not come back at once. `random` is in [0, 1).
 */
export function delayBefore(
  attempt: number,
  error: { readonly retryAfter?: number | undefined },
  { minDelayMs = 500, maxDelayMs = 5_000 }: ReconnectOptions,
  random: number,
): number {
  const full = Math.min(maxDelayMs, minDelayMs * 2 ** Math.min(attempt - 1, 30));
  const spread = full * (0.5 + random / 2);
  // What the server asks for is a minimum; a minute is the longest any of its limits lasts.
  return Math.max(spread, Math.min(error.retryAfter ?? 0, 60) * 1_000);
}

const hopeless: ReadonlySet<string> = new Set(['FORBIDDEN', 'INVALID_REQUEST', 'NOT_FOUND', 'CLOSED']);

/**
 * Whether another attempt makes sense: a token that was refused is tried again only where a new one can be asked for,
 * and once (`refusals` counts refusals in a row).
 */
export function mayRetry(
  error: Pick<TrigateError, 'code'>,
  state: { attempt: number; refusals: number; renewable: boolean },
  { attempts = Number.POSITIVE_INFINITY }: ReconnectOptions,
): boolean {
  if (state.attempt > attempts || hopeless.has(error.code)) return false;
  return error.code !== 'UNAUTHORIZED' || (state.renewable && state.refusals <= 1);
}
