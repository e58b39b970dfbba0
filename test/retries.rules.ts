import { relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';

const overProcesses = /\/test\/(chaos|integration|conformance|e2e)\//;

/** Of these a test that fails has lost something, or told it twice or out of order: that counts the first time. */
export const exact = [
  'chaos/bus-faults',
  'chaos/departures-gateways',
  'chaos/recovery',
  'chaos/recovery-cluster',
  'chaos/recovery-faults',
  'chaos/recovery-gateways',
  'chaos/store-crash',
  'integration/adapter',
  'integration/adapter-emitter',
  'integration/adapter-frames',
  'integration/adapter-readers',
  'integration/adapter-sessions',
  'integration/calls/calls',
  'integration/events',
  'integration/nats-bus',
  'integration/recovery',
  'integration/rekey',
];

/** Whether the tests of a file, named by its whole path, are tried again where they fail. */
export const isRetried = (path: string): boolean =>
  overProcesses.test(path) && !exact.some((name) => path.endsWith(`/test/${name}.spec.ts`));

interface Tried {
  fullName: string;
  status: string;
  invocations?: number | undefined;
  retryReasons?: readonly string[] | undefined;
}

/** What Jest hands to its reporters, as far as this needs it. */
export interface Results {
  testResults: readonly { testFilePath: string; testResults: readonly Tried[] }[];
}

const firstLine = (text = '') => stripVTControlCharacters(text).split('\n', 1)[0];

/** How many tests were tried again, and a line for each of them. */
export function retriedTests({ testResults: files }: Results, root: string): string[] {
  const lines = files.flatMap(({ testFilePath, testResults: tests }) =>
    tests
      .filter(({ invocations = 1 }) => invocations > 1)
      .map(({ fullName, status, invocations, retryReasons }) => {
        const tries = `${status} at try ${invocations}; first ${firstLine(retryReasons?.[0])}`;
        return `  ${relative(root, testFilePath)}: ${fullName} (${tries})`;
      }),
  );
  return [`${lines.length} tests retried`, ...lines.sort()];
}
