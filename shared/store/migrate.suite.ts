import { expect, test } from '@jest/globals';
import type { Collections, Stored } from './collection.ts';
import { runMigrations } from './migrate.ts';

interface Mark extends Stored {
  by: string;
}
const MARKS = { name: 'marks', sortable: [], unique: [] } as const;
interface Lock extends Stored {
  holder: string | null;
}
const LOCKS = { name: '_migrations', sortable: [] } as const;

/** Part of the suite of a Collections. */
export function migrationSuite(stores: () => Collections): void {
  const mark = (by: string) => async (opened: Collections) => {
    await (await opened.collection<Mark>(MARKS)).insert({ by });
  };
  const marks = async () => {
    const found = await (await stores().collection<Mark>(MARKS)).find({}, { limit: 100 });
    return found.map(({ by }) => by).sort();
  };
  const clear = async () => {
    await (await stores().collection<Mark>(MARKS)).deleteMany({});
  };

  test('migrations run in order of their ids, each once', async () => {
    await clear();
    const order: string[] = [];
    const step = (id: string) => ({ id, run: async () => void order.push(id) });
    await stores().migrate([step('m-2'), step('m-1')]);
    await stores().migrate([step('m-2'), step('m-1'), step('m-3')]);
    expect(order).toEqual(['m-1', 'm-2', 'm-3']);
  });

  test('migrations run once when five start at the same time, and all wait for their end', async () => {
    await clear();
    const ran = Array.from({ length: 5 }, async () => {
      await stores().migrate([{ id: 'five', run: mark('five') }]);
      return marks();
    });
    expect(await Promise.all(ran)).toEqual(Array(5).fill(['five']));
  });

  test('a migration that fails ends the run and is tried again the next time', async () => {
    await clear();
    const fail = async () => {
      throw new Error('cannot');
    };
    const later = { id: 'try-2', run: mark('later') };
    await expect(stores().migrate([{ id: 'try-1', run: fail }, later])).rejects.toThrow('cannot');
    expect(await marks()).toEqual([]);
    await stores().migrate([{ id: 'try-1', run: mark('again') }, later]);
    expect(await marks()).toEqual(['again', 'later']);
  });

  test('a lock that is renewed is waited for, for a bounded time', async () => {
    await clear();
    let done = () => {};
    let begun = () => {};
    const begins = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const ends = new Promise<void>((resolve) => {
      done = resolve;
    });
    const slow = {
      id: 'slow',
      run: async () => {
        begun();
        await ends;
      },
    };
    const first = runMigrations(stores(), [slow], { leaseMs: 300 });
    await begins;
    // Longer than the lease: only its renewal keeps the second out.
    const second = runMigrations(stores(), [{ id: 'slow', run: mark('twice') }], { leaseMs: 300, waitMs: 900 });
    try {
      await expect(second).rejects.toMatchObject({ name: 'StoreUnavailable' });
    } finally {
      done();
    }
    await first;
    expect(await marks()).toEqual([]);
  });

  test('the lock of a process that died is taken over when its lease is over', async () => {
    await clear();
    const locks = await stores().collection<Lock>(LOCKS);
    const lock = await locks.get('lock');
    await locks.update('lock', lock?.version ?? 0, { holder: 'the dead' });
    await runMigrations(stores(), [{ id: 'after-death', run: mark('after') }], { leaseMs: 200 });
    expect(await marks()).toEqual(['after']);
    expect((await locks.get('lock'))?.holder).toBeNull();
  });

  test('a migration whose lock was taken over is not recorded by who lost it', async () => {
    const locks = await stores().collection<Lock>(LOCKS);
    const run = async () => {
      const lock = await locks.get('lock');
      await locks.update('lock', lock?.version ?? 0, { holder: 'another' });
      // Until a renewal has seen it.
      await new Promise((resolve) => setTimeout(resolve, 300));
    };
    await expect(runMigrations(stores(), [{ id: 'lost', run }], { leaseMs: 300 })).rejects.toThrow('lost the lock');
    expect(await locks.get('lost')).toBeNull();
    const lock = await locks.get('lock');
    expect(lock?.holder).toBe('another');
    await locks.update('lock', lock?.version ?? 0, { holder: null });
  });

  test('two migrations of one id are refused', async () => {
    const same = { id: 'same', run: async () => {} };
    await expect(stores().migrate([same, same])).rejects.toBeInstanceOf(RangeError);
  });
}
