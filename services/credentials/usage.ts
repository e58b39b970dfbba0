import { createHash } from 'node:crypto';
import { Turns } from '../../shared/mailbox/turns.ts';
import { type Collection, type Collections, Duplicate, type Stored } from '../../shared/store/collection.ts';
import { type Block, block, type Priority, take, type Usage, type Use } from './usage.rules.ts';

/** A use is one short text: the record is written with every command, and may hold six hundred. */
interface StoredUsage extends Stored {
  uses: string[];
  blocks: Block[];
}

/** Lost races before a caller is told to come back. */
const attempts = 8;
const comeBackMs = 250;
/** Commands of one process that may wait to be counted; far more than run at a time. */
const maxWaiting = 10_000;

/**
 * What was sent to Google through each credentials, in one record that every process reads and writes: one read and one
 * conditional write per command.
 */
export async function usageStore(stores: Collections, factor: number) {
  const usage: Collection<StoredUsage> = await stores.collection<StoredUsage>({ name: 'google-usage', sortable: [] });

  async function current(id: string): Promise<StoredUsage> {
    const known = await usage.get(id);
    if (known) return known;
    try {
      return await usage.insert({ id, uses: [], blocks: [] });
    } catch (error) {
      if (!(error instanceof Duplicate)) throw error;
      return (await usage.get(id)) ?? current(id);
    }
  }

  /** Of this process one after another, so that it loses races only to others. */
  const turns = new Turns(maxWaiting);
  const inTurn = (id: string, decide: (usage: Usage) => Usage | number): Promise<number> =>
    turns.take(id, () => change(id, decide));

  /** @returns what `decide` said where that is a number, or `comeBackMs` after too many lost races */
  async function change(id: string, decide: (usage: Usage) => Usage | number): Promise<number> {
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      const known = await current(id);
      const decided = decide({ uses: known.uses.map(decode), blocks: known.blocks });
      if (typeof decided === 'number') return decided;
      const { uses, blocks } = decided;
      if (await usage.update(id, known.version, { uses: uses.map(encode), blocks })) return 0;
    }
    return comeBackMs;
  }

  return {
    /** 0 where the command may be sent and is counted, else the milliseconds after which to ask again. */
    take: (id: string, device: string, command: string, priority: Priority): Promise<number> =>
      inTurn(id, (known) =>
        take(known, { device: short(device), command: short(command) }, priority, Date.now(), factor),
      ),
    /** Google said 429. @returns milliseconds for which nothing more is sent to the device */
    async block(id: string, device: string): Promise<number> {
      const now = Date.now();
      let until = now + comeBackMs;
      await inTurn(id, (known) => {
        const blocked = block(known, short(device), now, factor);
        until = blocked.blocks.at(-1)?.until ?? until;
        return blocked;
      });
      return Math.ceil(until - now);
    },
    forget: (id: string) => usage.delete(id),
  };
}

export type UsageStore = Awaited<ReturnType<typeof usageStore>>;

/** Names of devices are long, and kept encrypted elsewhere. */
const short = (name: string): string => createHash('sha256').update(name).digest('base64url').slice(0, 8);

const encode = ({ at, device, command }: Use): string => `${at.toString(36)} ${device} ${command}`;

function decode(text: string): Use {
  const [at = '', device = '', command = ''] = text.split(' ');
  return { at: Number.parseInt(at, 36), device, command };
}
