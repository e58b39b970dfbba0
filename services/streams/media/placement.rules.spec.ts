import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Candidate, place } from './placement.rules.ts';

const server = (id: string, over: Partial<Candidate> = {}): Candidate => ({
  id,
  alive: true,
  cameras: 0,
  readers: 0,
  ...over,
});

describe('placement of cameras', () => {
  test('a camera stays where it is while that server lives, however loaded', () => {
    expect(place('c', 'a', [server('a', { cameras: 99, readers: 99 }), server('b')])).toBe('a');
  });

  test('a camera leaves a dead server for the live one with the fewest cameras, then readers', () => {
    const dead = server('a', { alive: false });
    const busy = server('b', { cameras: 2 });
    expect(place('c', 'a', [dead, busy, server('d', { cameras: 1, readers: 50 })])).toBe('d');
    expect(place('c', 'a', [dead, busy, server('d', { cameras: 2, readers: 1 })])).toBe('b');
  });

  test('with no live server there is no place', () => {
    expect(place('c', 'a', [server('a', { alive: false })])).toBeNull();
    expect(place('c', null, [])).toBeNull();
  });

  test('cameras spread evenly over servers, and the order of servers does not matter', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 6 }),
        fc.uniqueArray(fc.string({ minLength: 1 }), { maxLength: 60 }),
        (ids, cameras) => {
          const load = ids.map((id) => server(id));
          for (const camera of cameras) {
            const chosen = place(camera, null, load);
            expect(place(camera, null, load.toReversed())).toBe(chosen);
            for (const one of load) if (one.id === chosen) one.cameras += 1;
          }
          const counts = load.map((one) => one.cameras);
          expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
        },
      ),
    );
  });

  test('single cameras on empty servers do not all go to the same one', () => {
    const servers = [server('a'), server('b'), server('d')];
    const chosen = new Set(Array.from({ length: 50 }, (_, index) => place(`camera-${index}`, null, servers)));
    expect(chosen.size).toBe(3);
  });
});
