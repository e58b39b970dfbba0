import { expect, jest } from '@jest/globals';
import { isRetried } from './retries.rules.ts';

/**
 * What runs over several real processes and their clocks is tried up to twice more, with its first error printed: a
 * machine that does something else for a second fails it otherwise. What is broken fails three times, and the end of
 * the run names what was tried again.
 */
if (isRetried(expect.getState().testPath ?? '')) jest.retryTimes(2, { logErrorsBeforeRetry: true });
