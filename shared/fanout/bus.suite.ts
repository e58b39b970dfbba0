import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Bus, EventEnvelope } from './bus.ts';

/** Two ends of the same bus: of two processes, or twice the same one where there is only one process. */
export interface OpenBus {
  buses: [Bus, Bus];
  close(): Promise<void>;
}

export function eventOf(entity: string | null, details: Record<string, unknown> = {}): EventEnvelope {
  const body = { domain: 'camera', event: 'ready', entity, details, at: new Date().toISOString() };
  return { id: randomUUID(), hearers: { kind: 'users' }, body };
}

/** Collects events and lets a test wait until there are enough of them. */
export class Heard {
  readonly envelopes: EventEnvelope[] = [];
  #waiting: { count: number; resolve: () => void }[] = [];

  readonly hear = async (envelope: EventEnvelope): Promise<void> => {
    this.envelopes.push(envelope);
    for (const { count, resolve } of this.#waiting) if (this.envelopes.length >= count) resolve();
  };

  get ids(): string[] {
    return this.envelopes.map(({ id }) => id);
  }

  until(count: number): Promise<void> {
    if (this.envelopes.length >= count) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ count, resolve }));
  }
}

const entityOf = ({ body }: EventEnvelope) => body.entity ?? '';

/** The ids of each entity, in the order of the list. */
export function byEntity(envelopes: readonly EventEnvelope[]): Map<string, string[]> {
  const lists = new Map<string, string[]>();
  for (const envelope of envelopes) {
    lists.set(entityOf(envelope), [...(lists.get(entityOf(envelope)) ?? []), envelope.id]);
  }
  return lists;
}

/** What every `Bus` promises. */
export function busSuite(name: string, open: () => Promise<OpenBus>): void {
  describe(name, () => {
    let opened: OpenBus;
    let one: Bus;
    let two: Bus;

    beforeEach(async () => {
      opened = await open();
      [one, two] = opened.buses;
    });

    afterEach(() => opened.close());

    describe('events', () => {
      eventTests();
    });
    describe('tiers', () => {
      tierTests();
    });
    describe('notices', () => {
      noticeTests();
    });
    describe('claims', () => {
      claimTests();
    });

    function eventTests(): void {
      test('reach every follower as they were emitted, in order', async () => {
        const [first, second] = [new Heard(), new Heard()];
        await one.follow({}, first.hear);
        await two.follow({}, second.hear);
        const events = Array.from({ length: 50 }, (_, n) => eventOf(n % 2 ? 'a/b +#é' : null, { n, deep: [{ n }] }));
        for (const event of events) await two.emit(event);
        await Promise.all([first.until(50), second.until(50)]);
        expect(first.envelopes).toEqual(events);
        expect(second.envelopes).toEqual(events);
      });

      test('emitted before a follower came do not reach it', async () => {
        await one.emit(eventOf('early'));
        const heard = new Heard();
        await two.follow({}, heard.hear);
        const late = eventOf('late');
        await one.emit(late);
        await heard.until(1);
        expect(heard.ids).toEqual([late.id]);
      });

      test('with the same id are delivered once', async () => {
        const [all, shared] = [new Heard(), new Heard()];
        await one.follow({}, all.hear);
        await one.follow({ tier: 'once' }, shared.hear);
        const [event, last] = [eventOf('a'), eventOf('a')];
        await one.emit(event);
        await two.emit(event);
        await one.emit(last);
        await Promise.all([all.until(2), shared.until(2)]);
        expect(all.ids).toEqual([event.id, last.id]);
        expect(shared.ids).toEqual([event.id, last.id]);
      });

      test('emitted at once for an entity keep the order of the calls', async () => {
        const heard = new Heard();
        await two.follow({}, heard.hear);
        const events = Array.from({ length: 100 }, () => eventOf('same'));
        await Promise.all(events.map((event) => one.emit(event)));
        await heard.until(100);
        expect(heard.ids).toEqual(events.map(({ id }) => id));
      });

      test('that a follower fails to handle come again before later ones', async () => {
        const heard: string[] = [];
        const [event, later] = [eventOf('a'), eventOf('b')];
        const done = new Promise<void>((resolve, reject) => {
          one
            .follow({}, async ({ id }) => {
              heard.push(id);
              if (heard.length < 3) throw new Error('not now');
              if (heard.length === 4) resolve();
            })
            .then(async () => {
              await two.emit(event);
              await two.emit(later);
            })
            .catch(reject);
        });
        await done;
        expect(heard).toEqual([event.id, event.id, event.id, later.id]);
      });

      test('no longer come after stop', async () => {
        const [stopped, going] = [new Heard(), new Heard()];
        const following = await one.follow({}, stopped.hear);
        await one.follow({}, going.hear);
        await two.emit(eventOf('a'));
        await Promise.all([stopped.until(1), going.until(1)]);
        await following.stop();
        await two.emit(eventOf('a'));
        await going.until(2);
        expect(stopped.envelopes).toHaveLength(1);
      });

      test('are found again, the newest of each name and entity, oldest first', async () => {
        const of = (entity: string, event: string, domain = 'presence') => {
          const envelope = eventOf(entity);
          return { ...envelope, body: { ...envelope.body, domain, event } };
        };
        expect(await one.newest('presence')).toEqual([]);
        const early = [of('a', 'online'), of('b', 'online'), of('a', 'online'), of('a', 'online', 'other')];
        for (const event of early) await one.emit(event);
        const late = [of('a', 'offline'), { ...of('c', 'online'), rooms: ['x'] }];
        for (const event of late) await two.emit(event);
        // It may be found twice, as a copy and itself: what is last counts.
        const found = new Map((await two.newest('presence')).map((event) => [event.id, event]));
        const [, onlineB, onlineA] = early;
        expect([...found.values()]).toEqual([onlineB, onlineA, ...late]);
      });

      test('are refused where they are malformed', async () => {
        const event = eventOf('a');
        await expect(one.emit({ ...event, body: { ...event.body, domain: 'a.>' } })).rejects.toThrow(/domain/);
        await expect(one.emit({ ...event, id: '' })).rejects.toThrow(/id/);
      });

      test('are refused after close', async () => {
        await one.close();
        await expect(one.emit(eventOf('a'))).rejects.toThrow('closed');
        expect(one.healthy()).toBe(false);
      });
    }

    function tierTests(): void {
      test('handle each of 2,000 events once, in order per entity', async () => {
        const heard = new Heard();
        const shares = [0, 0];
        const busy = new Set<string>();
        const overlaps: string[] = [];
        const handler = (share: 0 | 1) => async (envelope: EventEnvelope) => {
          if (busy.has(entityOf(envelope))) overlaps.push(entityOf(envelope));
          busy.add(entityOf(envelope));
          shares[share] = (shares[share] ?? 0) + 1;
          await new Promise(setImmediate);
          busy.delete(entityOf(envelope));
          await heard.hear(envelope);
        };
        await one.follow({ tier: 'load' }, handler(0));
        await two.follow({ tier: 'load' }, handler(1));
        const events = Array.from({ length: 2_000 }, (_, n) => eventOf(`camera-${n % 50}`, { n }));
        await Promise.all(events.map((event, n) => (n % 2 ? one : two).emit(event)));
        await heard.until(2_000);
        expect(new Set(heard.ids).size).toBe(2_000);
        expect(heard.ids).toHaveLength(2_000);
        expect(byEntity(heard.envelopes)).toEqual(byEntity(events));
        expect(overlaps).toEqual([]);
        expect(Math.min(...shares)).toBeGreaterThan(0);
      });

      test('hand a failed event out again before later ones of its entity', async () => {
        const heard = new Heard();
        const event = eventOf('a');
        let failures = 0;
        const handler = async (envelope: EventEnvelope) => {
          await heard.hear(envelope);
          if (envelope.id === event.id && failures++ < 2) throw new Error('not now');
        };
        await one.follow({ tier: 'retry' }, handler);
        await two.follow({ tier: 'retry' }, handler);
        const later = [eventOf('a'), eventOf('a')];
        for (const one_ of [event, ...later]) await one.emit(one_);
        await heard.until(5);
        expect(heard.ids).toEqual([event.id, event.id, event.id, ...later.map(({ id }) => id)]);
      });

      test('get what was emitted while none of their processes was there', async () => {
        const [before, after] = [new Heard(), new Heard()];
        const following = await one.follow({ tier: 'away' }, before.hear);
        const events = Array.from({ length: 20 }, (_, n) => eventOf(`camera-${n % 3}`));
        const [first, ...rest] = events as [EventEnvelope, ...EventEnvelope[]];
        await two.emit(first);
        await before.until(1);
        await following.stop();
        for (const event of rest) await two.emit(event);
        await two.follow({ tier: 'away' }, after.hear);
        await after.until(rest.length);
        expect(before.ids).toEqual([first.id]);
        expect(byEntity(after.envelopes)).toEqual(byEntity(rest));
      });

      test('get every event each, whatever other tiers do', async () => {
        const [left, right] = [new Heard(), new Heard()];
        await one.follow({ tier: 'left' }, left.hear);
        await one.follow({ tier: 'right' }, right.hear);
        const event = eventOf('a');
        await two.emit(event);
        await Promise.all([left.until(1), right.until(1)]);
        expect([...left.ids, ...right.ids]).toEqual([event.id, event.id]);
      });

      test('finish the event in progress when a process stops, and another goes on at once', async () => {
        const [slow, quick] = [new Heard(), new Heard()];
        let finish = () => {};
        const finished = new Promise<void>((resolve) => {
          finish = resolve;
        });
        const following = await one.follow({ tier: 'handover' }, async (envelope) => {
          await slow.hear(envelope);
          await finished;
        });
        const [event, next] = [eventOf('a'), eventOf('a')];
        await two.emit(event);
        await two.emit(next);
        await slow.until(1);
        const stopping = following.stop();
        await two.follow({ tier: 'handover' }, quick.hear);
        expect(quick.envelopes).toHaveLength(0);
        finish();
        await stopping;
        const since = Date.now();
        await quick.until(1);
        expect(Date.now() - since).toBeLessThan(2_000);
        expect([slow.ids, quick.ids]).toEqual([[event.id], [next.id]]);
      });
    }

    function claimTests(): void {
      test('are won by one of 200 callers, and by none after it', async () => {
        const claims = Array.from({ length: 200 }, (_, n) => (n % 2 ? one : two).claim('the one', 60_000));
        expect((await Promise.all(claims)).filter(Boolean)).toHaveLength(1);
        expect([await one.claim('the one', 60_000), await two.claim('the one', 60_000)]).toEqual([false, false]);
      });

      test('of other names are of no concern, whatever the names hold', async () => {
        const names = ['a', 'A', 'a.b', 'a.*', '>', ' ', '', 'é', 'x'.repeat(5_000)];
        for (const name of names) expect([name, await one.claim(name, 60_000)]).toEqual([name, true]);
        for (const name of names) expect([name, await two.claim(name, 60_000)]).toEqual([name, false]);
      });

      test('end with their time', async () => {
        expect(await one.claim('short', 1_000)).toBe(true);
        const since = Date.now();
        expect(await two.claim('short', 1_000)).toBe(false);
        while (!(await two.claim('short', 1_000))) await new Promise((resolve) => setTimeout(resolve, 50));
        expect(Date.now() - since).toBeGreaterThan(900);
        expect(Date.now() - since).toBeLessThan(5_000);
      });

      test('are refused for a time that cannot be kept, and after close', async () => {
        for (const ttl of [0, 999, 1_000.5, 86_400_001]) {
          await expect(one.claim('a', ttl)).rejects.toThrow('time to live');
        }
        await one.close();
        await expect(one.claim('a', 60_000)).rejects.toThrow('closed');
      });
    }

    function noticeTests(): void {
      const next = (bus: Bus, topic: string) =>
        new Promise<unknown>((resolve, reject) => {
          bus.listen(topic, resolve).catch(reject);
        });

      test('reach all who listen to their topic', async () => {
        const heard: unknown[] = [];
        const all = new Promise<void>((resolve) => {
          const hear = (data: unknown) => {
            heard.push(data);
            if (heard.length === 3) resolve();
          };
          void Promise.all([one.listen('a.b', hear), two.listen('a.b', hear), two.listen('a.b', hear)]).then(() => {
            two.notify('a.c', 'not this');
            two.notify('a.b', { n: 1, deep: [null] });
          });
        });
        await all;
        expect(heard).toEqual([
          { n: 1, deep: [null] },
          { n: 1, deep: [null] },
          { n: 1, deep: [null] },
        ]);
      });

      test('no longer come after stop', async () => {
        const heard: unknown[] = [];
        const following = await one.listen('a', (data) => heard.push(data));
        await following.stop();
        const other = next(one, 'z');
        await one.listen('y', () => one.notify('z', 'last'));
        two.notify('a', 'unheard');
        two.notify('y', null);
        expect(await other).toBe('last');
        expect(heard).toEqual([]);
      });

      test('keep coming when a listener throws', async () => {
        const heard: unknown[] = [];
        const done = new Promise<void>((resolve) => {
          void one
            .listen('a', (data) => {
              heard.push(data);
              if (data === 2) resolve();
              throw new Error('a fault of the listener');
            })
            .then(() => {
              two.notify('a', 1);
              two.notify('a', 2);
            });
        });
        await done;
        expect(heard).toEqual([1, 2]);
      });

      test('are refused on a topic that is a pattern', async () => {
        expect(() => one.notify('a.>', 1)).toThrow('not a topic');
        await expect(one.listen('*', () => {})).rejects.toThrow('not a topic');
      });
    }
  });
}
