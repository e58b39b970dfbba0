import { setTimeout as pause } from 'node:timers/promises';
import type { Session } from './session.ts';

const pauseMs = 1_000;
/** Passes before the rest is left to the next gap: by then the auth service has been away for a minute. */
const maxPasses = 60;
/** Sessions asked for at a time, so that a gateway that is back does not flood the auth service. */
const batch = 50;

/**
 * After a gap, in which notices of revocation may have been missed: asks again for everybody who is connected, and
 * ends the sessions of those who would not be let in now. Who cannot be asked for stays and is asked for again.
 */
export function rechecker(sessions: ReadonlyMap<string, Session>, graceMs: number): () => Promise<void> {
  let run = 0;
  return async () => {
    run += 1;
    const current = run;
    let unsure = [...sessions.values()];
    for (let pass = 0; pass < maxPasses && unsure.length > 0 && current === run; pass += 1) {
      if (pass > 0) await pause(pauseMs, undefined, { ref: false });
      unsure = await onePass(unsure, graceMs);
    }
  };
}

/** @returns those it could not find out about */
async function onePass(asked: readonly Session[], graceMs: number): Promise<Session[]> {
  const unsure: Session[] = [];
  for (let start = 0; start < asked.length; start += batch) {
    await Promise.all(
      asked.slice(start, start + batch).map(async (session) => {
        const standing = await session.standing();
        if (standing === 'unknown') unsure.push(session);
        if (standing === 'ended') await session.end(graceMs);
      }),
    );
  }
  return unsure;
}
