import { describe, expect, test } from '@jest/globals';
import { Turns } from '../mailbox/turns.ts';
import { entityToken } from './adapter/token.ts';
import { growingPause } from './pause.ts';
import { Place } from './place.ts';
import { RecentIds } from './recent.ts';
import { laneCount, laneOf, namesOf } from './subjects.ts';

describe('subjects', () => {
  test('a lane depends on domain and entity only, and stays what it was in the first release', () => {
    expect([laneOf('camera', '1'), laneOf('camera', '2'), laneOf('users', '1'), laneOf('presence', null)]).toEqual([
      1, 0, 0, 4,
    ]);
    const lanes = Array.from({ length: 200 }, (_, n) => laneOf('camera', `id-${n}`));
    expect(new Set(lanes)).toEqual(new Set(Array.from({ length: laneCount }, (_, lane) => lane)));
  });

  test('every entity is one safe token, and no two share one', () => {
    const entities = [null, '_', '', '=', '~', 'a.b', 'a b', '*', '>', 'é', 'a', 'x'.repeat(65), 'x'.repeat(2000)];
    const tokens = entities.map(entityToken);
    for (const token of tokens) expect(token).toMatch(/^[A-Za-z0-9_=~-]{1,100}$/);
    expect(new Set(tokens).size).toBe(entities.length);
    expect(entityToken('camera-1')).toBe('camera-1');
  });

  test('an event is under the lane its followers filter by', () => {
    const names = namesOf('trigate');
    const subject = names.event({ domain: 'camera', entity: 'a.b', event: 'ready' });
    expect(subject).toBe(`trigate.events.${laneOf('camera', 'a.b')}.camera.=YS5i.ready`);
    expect(subject.startsWith(names.lane(laneOf('camera', 'a.b')).slice(0, -1))).toBe(true);
  });
});

describe('the place in a stream', () => {
  test('is the end at first, and stays while the stream is the same', () => {
    const place = new Place();
    place.find({ created: 'a', last: 7 });
    expect(place.next).toBe(8);
    expect(place.find({ created: 'a', last: 12 })).toEqual({ lost: 0 });
    expect(place.next).toBe(8);
  });

  test('is the start of a stream that was made anew', () => {
    const place = new Place();
    place.find({ created: 'a', last: 7 });
    expect(place.find({ created: 'b', last: 2 })).toEqual({ lost: 0 });
    expect(place.next).toBe(1);
  });

  test('goes back where the stream lost its newest events', () => {
    const place = new Place();
    place.find({ created: 'a', last: 7 });
    place.next = 11;
    expect(place.find({ created: 'a', last: 8 })).toEqual({ lost: 2 });
    expect(place.next).toBe(9);
  });
});

describe('recent ids', () => {
  test('are forgotten when there are too many, the oldest first', () => {
    const recent = new RecentIds(2);
    for (const id of ['a', 'b', 'a', 'c']) recent.add(id);
    expect(['a', 'b', 'c'].map((id) => recent.has(id))).toEqual([true, false, true]);
  });

  test('are forgotten when they are too old', () => {
    const recent = new RecentIds(10, 1_000);
    recent.add('a', 0);
    expect([recent.has('a', 999), recent.has('a', 1_000)]).toEqual([true, false]);
  });
});

test('pauses grow from 100 ms to 10 s', () => {
  expect([1, 2, 3, 8, 1_000].map(growingPause)).toEqual([100, 200, 400, 10_000, 10_000]);
});

describe('turns', () => {
  test('run the tasks of a key one by one, also after a failure, and others beside them', async () => {
    const turns = new Turns(10);
    const steps: string[] = [];
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const first = turns.take('a', async () => {
      await held;
      steps.push('a1');
      throw new Error('a1 failed');
    });
    const second = turns.take('a', async () => void steps.push('a2'));
    await turns.take('b', async () => void steps.push('b1'));
    release();
    await expect(first).rejects.toThrow('a1 failed');
    await second;
    expect(steps).toEqual(['b1', 'a1', 'a2']);
  });

  test('refuse a task when too many wait', async () => {
    const turns = new Turns(1);
    const first = turns.take('a', () => new Promise((resolve) => setImmediate(resolve)));
    await expect(turns.take('b', async () => {})).rejects.toThrow('more than 1');
    await first;
    await turns.take('b', async () => {});
  });
});
