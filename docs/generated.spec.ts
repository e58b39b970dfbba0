import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { errorTable } from '../shared/contracts/index.ts';
import { variables } from '../shared/runtime/config.variables.ts';
import { between, generated } from './generated.ts';

const root = new URL('../', import.meta.url);
const read = (file: string) => readFileSync(new URL(file, root), 'utf8');
const { version } = JSON.parse(read('package.json')) as { version: string };
const files = generated(version);

test.each(Object.entries(files))('%s is what the contracts and variables make of it', (file, make) => {
  expect(make(read(file))).toBe(read(file));
});

test('the README has a line for every variable and every error', () => {
  const readme = files['README.md']?.(
    '<!-- variables:start --><!-- variables:end --> <!-- errors:start --><!-- errors:end -->',
  );
  for (const name of [...Object.keys(variables), ...Object.keys(errorTable)]) expect(readme).toContain(`| \`${name}\``);
});

describe('text between markers', () => {
  test('is replaced, the rest kept', () => {
    const text = 'a\n<!-- x:start -->\nold $& text\n<!-- x:end -->\nb';
    expect(between(text, 'x', 'new $& text')).toBe('a\n<!-- x:start -->\nnew $& text\n<!-- x:end -->\nb');
    expect(between(between(text, 'x', 'new'), 'x', 'new')).toBe(between(text, 'x', 'new'));
  });

  test('needs both markers, in order', () => {
    for (const text of ['', '<!-- x:start -->', '<!-- x:end --><!-- x:start -->']) {
      expect(() => between(text, 'x', 'new')).toThrow('<!-- x:start --> and <!-- x:end --> are not there');
    }
  });
});
