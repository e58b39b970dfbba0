import { expect, jest } from '@jest/globals';

/**
 * What runs over several real processes and their clocks is tried up to twice more, with its first error printed: a
 * machine that does something else for a second fails it otherwise. What is broken fails three times.
 */
const overProcesses = /\/test\/(chaos|integration|conformance|e2e)\//;
if (overProcesses.test(expect.getState().testPath ?? '')) jest.retryTimes(2, { logErrorsBeforeRetry: true });
