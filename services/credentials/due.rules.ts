const maxBackoffMs = 300_000;
const firstBackoffMs = 5_000;
const hour = 3_600_000;

const iso = (ms: number): string => new Date(ms).toISOString();

/** When tokens that were given now are to be renewed: in the last sixth of their life. */
export const renewal = (now: number, lifetimeMs: number) => ({
  tokensExpireAt: iso(now + lifetimeMs),
  refreshAt: iso(now + (lifetimeMs * 5) / 6),
  refreshFailures: 0,
});

/**
 * When to try again after so many failures in a row: 5 s, 10 s, …, at most 5 min.
 * @param chance 0 to 1: spreads those that failed together
 */
export const retryAt = (now: number, failures: number, chance: number): string =>
  iso(now + Math.min(maxBackoffMs, firstBackoffMs * 2 ** Math.min(failures, 10)) * (0.75 + chance / 2));

/** Devices are listed hourly, not all credentials at once. */
export const nextSync = (now: number, chance: number): string => iso(now + hour * (0.95 + chance / 10));

/** Whether an access token is good for what is sent now. */
export const isFresh = (tokensExpireAt: string | null | undefined, now: number): boolean =>
  typeof tokensExpireAt === 'string' && Date.parse(tokensExpireAt) > now + 1_000;
