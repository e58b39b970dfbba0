import { toFailure } from '../../shared/runtime/failure.ts';
import type { Log } from '../../shared/runtime/log.ts';
import { pause } from './pause.ts';

const maxAttempts = 10;
const maxPauseMs = 2_000;

/**
 * What a session does because its user has changed, tried for some ten seconds. Not where the user may no longer be here:
 * other notices end the session.
 */
export async function keepTrying(work: () => Promise<unknown>, userId: string, log: Log): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await work();
      return;
    } catch (error) {
      if (toFailure(error).type === 'UNAUTHORIZED') return;
      if (attempt === maxAttempts) {
        log.warn({ userId, err: error }, 'a session does not follow the change of its user until the next check');
        return;
      }
    }
    await pause(Math.min(200 * attempt, maxPauseMs));
  }
}
