import { Failure } from '../../shared/contracts/index.ts';
import { roomsContract } from '../../shared/contracts/rooms.contract.ts';
import { implement } from '../../shared/runtime/implement.ts';
import type { Principal } from '../../shared/runtime/principal.ts';
import { change, found, given } from '../../shared/store/change.ts';
import type { StartService } from '../deps.ts';
import { roomHistory } from './rooms.history.ts';
import {
  assertJoinable,
  assertMayChange,
  assertMaySee,
  assertRoomName,
  hearersOf,
  maxMembers,
  own,
  ownHistory,
} from './rooms.rules.ts';
import { type Room, roomsStore } from './rooms.store.ts';

const expireEveryMs = 60 * 60 * 1_000;

export const startRooms: StartService = async (deps) => {
  const store = await roomsStore(deps.stores);
  const { rooms, find } = store;
  const history = roomHistory(store.messages, deps.log);
  const tell = (event: 'created' | 'updated' | 'deleted', room: Room, more: { previousName?: string } = {}) =>
    deps.emit('rooms', event, room.id, { name: room.name, private: room.private, ...more }, hearersOf(room));

  /** The room, where somebody made it and the caller may hear it; null where it is only a name. @throws Failure */
  const enter = async (entity: string, principal: Principal): Promise<Room | null> => {
    assertRoomName(entity);
    const room = await find(entity);
    assertJoinable(principal, room?.name ?? entity);
    if (room) assertMaySee(principal, room);
    return room;
  };

  /** Where what is said in a room is kept, and what the room is called. */
  const place = async (entity: string, principal: Principal): Promise<{ key: string; room: string }> => {
    if (entity === own) return { key: ownHistory(principal), room: own };
    const room = await enter(entity, principal);
    return { key: room?.id ?? entity, room: room?.name ?? entity };
  };

  const handlers: Parameters<typeof implement<typeof roomsContract>>[1] = {
    rooms: {
      list: ({ payload, principal }) => rooms.list(payload, visibleTo(principal)),
      async create({ payload, principal }) {
        assertJoinable(principal, payload.name);
        const room = await rooms.insert({ ...payload, owner: principal.id });
        await tell('created', room);
        return room;
      },
      async read({ entity, principal }) {
        const room = found(await find(entity));
        assertMaySee(principal, room);
        return room;
      },
      async update({ entity, payload, principal }) {
        const { id } = found(await find(entity));
        if (payload.name !== undefined) assertJoinable(principal, payload.name);
        let previousName = '';
        const room = await change(rooms, id, (current) => {
          assertMayChange(principal, current);
          previousName = current.name;
          return given(payload);
        });
        await tell('updated', room, previousName === room.name ? {} : { previousName });
        return room;
      },
      async delete({ entity, principal }) {
        const room = found(await find(entity));
        assertMayChange(principal, room);
        found(await rooms.delete(room.id));
        await history.forget(room.id);
        await tell('deleted', room);
        return undefined;
      },
      async join({ entity, principal }) {
        const room = await enter(entity, principal);
        if (!room) return { room: entity };
        const joined = await rooms.add(room.id, 'members', principal.id, maxMembers);
        if (!joined) throw new Failure('LIMIT_EXCEEDED', `A room has at most ${maxMembers} members`);
        return { room: joined.name };
      },
      async leave({ entity, principal }) {
        assertRoomName(entity);
        const room = await find(entity);
        if (!room) return { room: entity };
        const left = await rooms.remove(room.id, 'members', principal.id, 0);
        return { room: left?.name ?? room.name };
      },
      async send({ entity, payload, principal }) {
        const { key, room } = await place(entity, principal);
        const { id, username, email } = principal;
        const stored = await history.append(key, { id, username, email }, payload);
        return { ...stored, room };
      },
      async history({ entity, payload, principal }) {
        const { key, room } = await place(entity, principal);
        const items = await history.read(key, payload);
        return { items: items.map((item) => ({ ...item, room })) };
      },
      async enter({ entity, principal }) {
        const room = await enter(entity, principal);
        return { room: room?.name ?? entity, id: room?.id ?? null };
      },
    },
  };
  const expire = () =>
    history.expire(Date.now()).catch((err) => deps.log.warn({ err }, 'old messages could not be dropped'));
  const expiry = setInterval(expire, expireEveryMs);
  expiry.unref();
  return {
    schemas: implement(roomsContract, handlers, deps.log),
    stop: async () => clearInterval(expiry),
  };
};

function visibleTo(principal: Principal) {
  if (principal.roles.includes('admin')) return undefined;
  return { $or: [{ private: false }, { owner: principal.id }, { members: principal.id }] };
}
