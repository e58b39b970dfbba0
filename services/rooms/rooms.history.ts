import type { Log } from '../../shared/runtime/log.ts';
import type { Collection } from '../../shared/store/collection.ts';
import { maxHistory } from './rooms.rules.ts';
import type { Message } from './rooms.store.ts';

/** What is said, and what its sender says of it. */
export type Said = Pick<Message, 'message' | 'type' | 'metadata'>;

export interface HistoryItem extends Said {
  id: string;
  from: Message['from'];
  timestamp: string;
}

export interface RoomHistory {
  append(room: string, from: Message['from'], said: Said): Promise<HistoryItem>;
  /** Oldest first. `before` is the id of a message; an unknown one gives nothing. */
  read(room: string, query: { limit: number; before?: string | undefined }): Promise<HistoryItem[]>;
  forget(room: string): Promise<void>;
  /** Drops what is older than 30 days, in every room: also those nobody sends to any more. */
  expire(now: number): Promise<number>;
}

const keptMs = 30 * 24 * 60 * 60 * 1_000;

/** An answer has to fit into one message between two processes. */
const maxAnswerBytes = 512 * 1_024;

/** Rooms are trimmed every so many messages of this process: never more than this above the bound per process. */
const trimEvery = 50;
const maxTracked = 10_000;

/** Sorts like the time, in ms. */
const timeOrder = (time: number) => String(time).padStart(15, '0');
const said = ({ message, type, metadata }: Said): Said => ({
  message,
  ...(type !== undefined && { type }),
  ...(metadata !== undefined && { metadata }),
});
const item = (stored: Message): HistoryItem => {
  const { id, from, createdAt } = stored;
  return { id, from, ...said(stored), timestamp: createdAt };
};

/** As many of the newest items as have so many bytes of JSON together, and at least one. */
function newestWithin(newestFirst: HistoryItem[], bytes: number): HistoryItem[] {
  let left = bytes;
  const end = newestFirst.findIndex((one) => {
    left -= Buffer.byteLength(JSON.stringify(one));
    return left < 0;
  });
  return end === -1 ? newestFirst : newestFirst.slice(0, Math.max(1, end));
}

export function roomHistory(messages: Collection<Message>, log: Log): RoomHistory {
  const sinceTrim = new Map<string, number>();
  let counter = 0;
  const nextOrder = () => {
    counter = (counter + 1) % 1_000_000;
    return `${timeOrder(Date.now())}.${String(counter).padStart(6, '0')}`;
  };

  async function trim(room: string): Promise<void> {
    const newest: { key: string; order: 'desc' }[] = [{ key: 'order', order: 'desc' }];
    const kept = await messages.find({ room }, { limit: maxHistory, sort: newest });
    const oldest = kept.at(-1);
    if (kept.length === maxHistory && oldest) await messages.deleteMany({ room, order: { $lt: oldest.order } });
  }

  function trimSometimes(room: string): void {
    const count = (sinceTrim.get(room) ?? 0) + 1;
    if (sinceTrim.size >= maxTracked) sinceTrim.clear();
    sinceTrim.set(room, count % trimEvery);
    // The message is stored whether or not older ones could be dropped; the next round tries again.
    if (count === trimEvery) trim(room).catch((err) => log.warn({ err, room }, 'a room could not be trimmed'));
  }

  return {
    async append(room, from, words) {
      const stored = await messages.insert({ room, from, ...said(words), order: nextOrder() });
      trimSometimes(room);
      return item(stored);
    },
    async read(room, { limit, before }) {
      const mark = before === undefined ? undefined : await messages.get(before);
      if (mark === null || (mark && mark.room !== room)) return [];
      const filter = mark ? { room, order: { $lt: mark.order } } : { room };
      const found = await messages.find(filter, { limit, sort: [{ key: 'order', order: 'desc' }] });
      return newestWithin(found.map(item), maxAnswerBytes).reverse();
    },
    async forget(room) {
      await messages.deleteMany({ room });
      sinceTrim.delete(room);
    },
    expire: (now) => messages.deleteMany({ order: { $lt: timeOrder(now - keptMs) } }),
  };
}
