import { afterEach } from '@jest/globals';

/**
 * Called where tests are defined: returns what takes down something to be done when the test that is on is over. The
 * last comes first.
 */
export function cleanUp(): (cleanup: () => unknown) => void {
  const cleanups: (() => unknown)[] = [];
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  }, 30_000);
  return (cleanup) => void cleanups.push(cleanup);
}
