import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { exact, isRetried, retriedTests } from './retries.rules.ts';

const pathOf = (name: string) => fileURLToPath(new URL(`./${name}.spec.ts`, import.meta.url));

test.each(exact)('%s is there, and not tried again', (name) => {
  expect([existsSync(pathOf(name)), isRetried(pathOf(name))]).toEqual([true, false]);
});

test('what runs over processes is tried again, and nothing else', () => {
  expect(['integration/http', 'chaos/streams', 'servers/servers', 'rules'].map(pathOf).map(isRetried)).toEqual([
    true,
    true,
    false,
    false,
  ]);
});

test('the tests that were tried again are counted and named, whether they passed in the end or not', () => {
  const tests = [
    { fullName: 'steady', status: 'passed', invocations: 1, retryReasons: [] },
    { fullName: 'shaky', status: 'passed', invocations: 2, retryReasons: ['\u001b[31mError: late\u001b[39m\n  at'] },
    { fullName: 'broken', status: 'failed', invocations: 3, retryReasons: ['Error: gone', 'Error: gone'] },
    { fullName: 'skipped', status: 'pending' },
  ];
  expect(retriedTests({ testResults: [{ testFilePath: '/p/test/a.spec.ts', testResults: tests }] }, '/p')).toEqual([
    '2 tests retried',
    '  test/a.spec.ts: broken (failed at try 3; first Error: gone)',
    '  test/a.spec.ts: shaky (passed at try 2; first Error: late)',
  ]);
  expect(retriedTests({ testResults: [] }, '/p')).toEqual(['0 tests retried']);
});
