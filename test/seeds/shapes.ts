import { readFileSync } from 'node:fs';
import { expect } from '@jest/globals';

/** ISO 8601 in UTC. */
const isoDate = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

const files = ['003-http.md', '003-events.md'];

/** A block of seed 003 by its title, as it stands there. @throws Error where there is none */
export function documentedText(title: string): string {
  for (const file of files) {
    const text = readFileSync(new URL(file, import.meta.url), 'utf8');
    const [, after] = text.split(`\n## ${title}\n`);
    const code = /^\n```\w+\n([\s\S]*?)\n```\n/.exec(after ?? '')?.[1];
    if (code) return code;
  }
  throw new Error(`seed 003 has no block ${title}`);
}

/** The JSON of a block, whose comments stand for anything. */
export const documented = (title: string): Record<string, unknown> =>
  JSON.parse(documentedText(title).replace(/^\s*\/\/.*$/gm, ''));

/** A value with exactly the documented keys: `string` and numbers stand for any, codes and `success` for themselves. */
export function shapeOf(value: unknown, key = ''): unknown {
  if (typeof value === 'number') return expect.any(Number);
  if (typeof value === 'boolean') return key === 'success' ? value : expect.any(Boolean);
  if (value === 'ISO date string') return expect.stringMatching(isoDate);
  if (value === 'string') return expect.any(String);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, shapeOf(inner, name)]));
}
