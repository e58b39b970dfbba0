import type { Collection, Collections, Stored } from '../../shared/store/collection.ts';

export interface Room extends Stored {
  name: string;
  private: boolean;
  /** User ids. */
  members: string[];
  /** Who made it. */
  owner: string;
}

export interface Message extends Stored {
  room: string;
  from: { id: string; username: string; email: string | null };
  message: unknown;
  type?: string | undefined;
  metadata?: Record<string, unknown> | undefined;
  /** Sorts the messages of a room: time in ms, then a counter of the process. */
  order: string;
}

export interface RoomsStore {
  rooms: Collection<Room>;
  messages: Collection<Message>;
  /** By id, else by name. */
  find(entity: string): Promise<Room | null>;
}

export async function roomsStore(stores: Collections): Promise<RoomsStore> {
  const rooms = await stores.collection<Room>({
    name: 'rooms',
    unique: ['name'],
    sortable: ['createdAt', 'name'],
    search: { keys: ['name'], match: 'contains' },
    indexes: [['members'], ['owner']],
  });
  const messages = await stores.collection<Message>({
    name: 'messages',
    sortable: ['order'],
    indexes: [['room', 'order']],
  });
  const find = async (entity: string) =>
    (await rooms.get(entity)) ?? (await rooms.find({ name: entity }, { limit: 1 }))[0] ?? null;
  return { rooms, messages, find };
}
