import type { Life } from './recovery.client.ts';

export interface Findings {
  missing: number;
  twice: number;
  disordered: number;
}

/** What is wrong with a life, given all numbers that were for it: none may be missing between its first and last. */
export function judge({ numbers }: Life, all: readonly number[]): Findings {
  const heard = new Set(numbers);
  const [first = 0, last = -1] = [numbers[0], numbers.at(-1)];
  return {
    missing: all.filter((n) => n >= first && n <= last && !heard.has(n)).length,
    twice: numbers.length - heard.size,
    disordered: numbers.filter((n, index) => index > 0 && n < (numbers[index - 1] as number)).length,
  };
}

export const sum = (findings: readonly Findings[]): Findings =>
  findings.reduce(
    (a, b) => ({ missing: a.missing + b.missing, twice: a.twice + b.twice, disordered: a.disordered + b.disordered }),
    { missing: 0, twice: 0, disordered: 0 },
  );
