import { describe, expect, test } from '@jest/globals';
import { Elsewhere, maxSilent, TellSteps } from './elsewhere.rules.ts';

describe('the sockets at other gateways', () => {
  test('are those that each told last', () => {
    const others = new Elsewhere();
    others.hear('one', [['ann', 5]], true);
    others.hear('two', [['ann', 2]], true);
    others.hear('one', [['ann', 6]]);
    expect([others.count('ann'), others.count('bob')]).toEqual([8, 0]);
    others.hear('two', [['ann', 0]]);
    expect(others.count('ann')).toBe(6);
    others.hear('one', [['bob', 1]], true);
    expect([others.count('ann'), others.count('bob')]).toEqual([0, 1]);
    others.forget('one');
    expect(others.count('bob')).toBe(0);
  });

  test('of a gateway whose earlier words were missed are asked for', () => {
    const others = new Elsewhere();
    expect(others.hear('one', [['ann', 5]])).toBe(false);
    expect(others.count('ann')).toBe(0);
    expect(others.hear('one', [], true)).toBe(true);
    expect(others.hear('one', [['ann', 5]])).toBe(true);
  });

  test('count no more when it was silent, and are asked for when it is heard again', () => {
    const others = new Elsewhere();
    others.hear('dead', [['ann', 5]], true);
    others.hear('alive', [['ann', 1]], true);
    for (let beats = 0; beats < maxSilent; beats += 1) {
      expect(others.count('ann')).toBe(6);
      others.hear('alive', []);
      others.beat();
    }
    expect(others.count('ann')).toBe(1);
    expect(others.hear('dead', [])).toBe(false);
  });
});

describe('what is told of our own', () => {
  test('is each multiple of the step that is passed, up or down', () => {
    const steps = new TellSteps(5);
    const told = [1, 4, 5, 6, 9, 10, 9, 4, 0].map((count) => steps.changed('ann', count)?.[1]);
    expect(told).toEqual([undefined, undefined, 5, undefined, undefined, 10, 5, 0, undefined]);
    expect(steps.told()).toEqual([]);
    steps.changed('ann', 7);
    expect(steps.told()).toEqual([['ann', 5]]);
  });
});
