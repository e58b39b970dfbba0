import { beforeEach, describe, expect, test } from '@jest/globals';
import { Edges, graceMs } from './edges.rules.ts';

const user = (id: string) => ({ id, username: id, email: null });
const ann = user('ann');
const all = () => true;

/** A replica: its edges, and who it knows to be online. */
class Replica {
  readonly present = new Set<string>();
  readonly edges = new Edges((id) => this.present.has(id));

  comes(id: string, now: number): void {
    this.present.add(id);
    this.edges.appeared(user(id), now);
  }
  goes(id: string, now: number, lost = false): void {
    this.present.delete(id);
    this.edges.vanished(user(id), lost, now);
  }
  due(now: number, mine: (id: string) => boolean = all): string[] {
    return [...this.edges.due(now, mine)].map((edge) => `${edge.user.id} ${edge.online ? 'on' : 'off'}`);
  }
  /** Tells what is due to every replica, as the bus does; returns the ids. */
  tell(now: number, ...replicas: Replica[]): string[] {
    return [...this.edges.due(now, all)].map((edge) => {
      for (const one of new Set([this, ...replicas])) one.edges.heard(edge, now);
      return edge.id;
    });
  }
}

let one: Replica;
let two: Replica;
beforeEach(() => {
  one = new Replica();
  two = new Replica();
});

describe('an edge', () => {
  test('is due at once when a user comes, and after the grace when it goes', () => {
    one.comes('ann', 0);
    expect(one.due(0)).toEqual(['ann on']);
    one.tell(0);
    expect(one.due(0)).toEqual([]);
    one.goes('ann', 1_000);
    expect(one.due(1_000 + graceMs - 1)).toEqual([]);
    expect(one.due(1_000 + graceMs)).toEqual(['ann off']);
  });

  test('is none where the user is back within the grace, or gone before it was told', () => {
    one.comes('ann', 0);
    one.tell(0);
    one.goes('ann', 1_000);
    one.comes('ann', 1_000 + graceMs - 1);
    expect(one.due(100_000)).toEqual([]);
    one.comes('bob', 0);
    one.goes('bob', 1);
    expect(one.due(100_000)).toEqual([]);
  });

  test('needs no grace where a gateway was lost: its lease was one', () => {
    one.comes('ann', 0);
    one.tell(0);
    one.goes('ann', 1_000, true);
    expect(one.due(1_000)).toEqual(['ann off']);
  });

  test('is due for the owner of the user only', () => {
    one.comes('ann', 0);
    one.comes('bob', 0);
    expect(one.due(0, (id) => id === 'bob')).toEqual(['bob on']);
  });

  test('that its owner died before telling is due in the others', () => {
    for (const replica of [one, two]) replica.comes('ann', 0);
    one.tell(0, two);
    for (const replica of [one, two]) replica.goes('ann', 1_000);
    // `one` dies here.
    expect(two.due(1_000 + graceMs)).toEqual(['ann off']);
  });

  test('told by two replicas has one id, and each edge another', () => {
    const ids: string[] = [];
    for (let at = 0; at < 6; at += 1) {
      for (const replica of [one, two]) {
        if (at % 2 === 0) replica.comes('ann', at * 10_000);
        else replica.goes('ann', at * 10_000);
      }
      const now = at * 10_000 + graceMs;
      const [left] = [...one.edges.due(now, all)];
      const [right] = [...two.edges.due(now, all)];
      expect(left?.id).toBe(right?.id);
      ids.push(...one.tell(now, two));
    }
    expect(new Set(ids).size).toBe(6);
  });

  test('is followed by the other one where the user changed its mind while it was told', () => {
    one.comes('ann', 0);
    const [on] = [...one.edges.due(0, all)];
    one.goes('ann', 5);
    expect(one.due(60_000)).toEqual([]);
    one.edges.heard(on as NonNullable<typeof on>, 10);
    expect(one.due(10 + graceMs - 1)).toEqual([]);
    expect(one.due(10 + graceMs)).toEqual(['ann off']);
  });

  test('of a user whom a replica that starts finds told and gone is due after the grace', () => {
    one.edges.heard({ user: ann, online: true, id: 'x' }, 0);
    expect(one.due(graceMs - 1)).toEqual([]);
    expect(one.due(graceMs)).toEqual(['ann off']);
    one.comes('ann', graceMs);
    expect(one.due(100_000)).toEqual([]);
  });

  test('does not begin again where what was told is forgotten', () => {
    one.comes('ann', 0);
    one.tell(0);
    one.goes('ann', 0);
    const [off] = one.tell(graceMs);
    one.due(1_000_000);
    one.comes('ann', 1_000_000);
    const [on] = one.tell(1_000_000);
    expect(on).not.toBe(off);
    expect(one.due(2_000_000)).toEqual([]);
  });
});

describe('the rooms of a user', () => {
  const rooms = (now: number) => [...one.edges.due(now, all)].map((edge) => edge.rooms);

  test('are named with the edge, also those of sessions that ended one after another', () => {
    one.comes('ann', 0);
    one.edges.entered(ann, ['x']);
    expect(rooms(0)).toEqual([['x']]);
    one.tell(0);
    one.edges.entered(ann, ['y', 'z']);
    one.edges.exited(ann, 'z');
    one.goes('ann', 0);
    expect(rooms(graceMs)).toEqual([['x', 'y']]);
    one.tell(graceMs);
    one.comes('ann', 50_000);
    expect(rooms(50_000)).toEqual([[]]);
  });

  test('that are entered later are told once', () => {
    one.comes('ann', 0);
    one.edges.entered(ann, ['x']);
    expect(one.edges.seen(all)).toEqual([]);
    one.tell(0);
    one.edges.entered(ann, ['x', 'y']);
    expect(one.edges.seen(all)).toEqual([{ user: ann, rooms: ['y'] }]);
    one.edges.entered(ann, ['y']);
    expect(one.edges.seen(all)).toEqual([]);
    one.edges.entered(ann, ['z']);
    expect(one.edges.seen(() => false)).toEqual([]);
    expect(one.edges.seen(all)).toEqual([]);
  });
});
