/** Milliseconds before attempt number `attempt` + 1: 100, 200, 400 … at most 10 s. */
export const growingPause = (attempt: number): number => Math.min(100 * 2 ** Math.min(attempt - 1, 16), 10_000);

/** Milliseconds a follower that stops waits for the handler that still runs. */
export const stopBound = 10_000;
