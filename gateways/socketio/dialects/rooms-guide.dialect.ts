import { randomUUID } from 'node:crypto';
import { roomsGuide } from '../../../shared/contracts/dialects/rooms-guide.ts';
import { Failure } from '../../../shared/contracts/index.ts';
import type { Audience, Fanout } from '../../../shared/fanout/fanout.ts';
import type { Principal } from '../../../shared/runtime/principal.ts';
import type { Dispatcher } from '../../core/dispatch.types.ts';
import { InvalidPayload } from '../payload.ts';
import { type User, userOf } from '../rooms.ts';
import { type Handlers, serveDialect } from '../serve.ts';
import type { Dialect, DialectContext } from './dialect.ts';

/** The rooms guide: rooms, messages and who is there; errors come on `exception`. */
export const roomsGuideDialect: Dialect = (context) => {
  serveDialect(
    context,
    roomsGuide,
    { ...inRooms(context), ...talking(context), ...asking(context) },
    {
      refuse: (event, { type: code, message, data: { retryAfter } }) => ({
        event: 'exception',
        body: { status: 'error', event, message, code, ...(retryAfter !== undefined && { retryAfter }) },
      }),
    },
  );
};

type Table = Handlers<typeof roomsGuide>;
const now = () => new Date().toISOString();

const inRooms = ({ rooms }: DialectContext): Pick<Table, 'join_room' | 'leave_room'> => ({
  // The joiner hears the announcement as everybody in the room does.
  join_room: { act: async ({ room }, { principal }) => ({ body: await rooms.join(room, principal) }) },
  leave_room: {
    async act({ room }, { principal }) {
      const { left, heard } = await rooms.leave(room, principal);
      return heard ? { event: 'user_left', body: left } : { body: left };
    },
  },
});

const talking = ({ dispatcher, fanout }: DialectContext): Pick<Table, 'send_message' | 'admin_broadcast'> => ({
  send_message: {
    // What goes to a user or to everybody is passed on; what goes to a room is stored.
    allowDollar: (argument) => !(typeof argument === 'object' && argument !== null && 'room' in argument),
    async act({ room, to, message }, { principal, requestId }) {
      if (room !== undefined && to !== undefined) throw new InvalidPayload('Either room or to.');
      if (room !== undefined) {
        const request = { module: 'rooms', command: 'send', requestId, entity: room, payload: { message } };
        return { body: await dispatcher.dispatch(request, principal, 'socketio') };
      }
      const id = to === undefined ? undefined : String(to);
      const audience: Audience = id === undefined ? { kind: 'everyone' } : { kind: 'user', id };
      const from = userOf(principal);
      const body = { id: randomUUID(), from, message, ...(id !== undefined && { to: id }), timestamp: now() };
      send(fanout, audience, 'new_message', body);
      return { body };
    },
  },
  admin_broadcast: {
    allowDollar: () => true,
    act({ message }, { principal }) {
      if (!principal.roles.includes('admin')) throw new Failure('FORBIDDEN', 'Only administrators announce');
      const body = { message, from: userOf(principal), timestamp: now() };
      send(fanout, { kind: 'everyone' }, 'admin_announcement', body);
      return { body };
    },
  },
});

/** @throws Failure PAYLOAD_TOO_LARGE where nobody hears it: numbers may be longer when they are written out */
function send(fanout: Fanout, audience: Audience, event: string, body: unknown): void {
  try {
    fanout.send([audience], event, [body]);
  } catch (error) {
    throw error instanceof RangeError ? new Failure('PAYLOAD_TOO_LARGE') : error;
  }
}

const asking = ({ dispatcher }: DialectContext): Pick<Table, 'get_online_users' | 'ping'> => ({
  get_online_users: {
    beside: true,
    act: async (_payload, { principal, requestId }) => ({
      event: 'online_users',
      body: await onlineUsers(dispatcher, principal, requestId),
    }),
  },
  ping: {
    beside: true,
    act: (_payload, { principal, acked }) =>
      acked ? {} : { event: 'pong', body: { user: userOf(principal), timestamp: now() } },
  },
});

const pageSize = 100;
const maxPages = 10;

interface Page {
  items: User[];
  total: number;
}

/** At most 1,000 of them, and how many there are. */
async function onlineUsers(dispatcher: Dispatcher, principal: Principal, requestId: string) {
  // By id: between two pages somebody may come or go, and shift who is on them.
  const users = new Map<string, User>();
  for (let page = 1; ; page++) {
    const payload = { page, itemsPerPage: pageSize };
    const request = { module: 'presence', command: 'list', requestId, payload };
    const { items, total } = (await dispatcher.dispatch(request, principal, 'socketio')) as Page;
    for (const { id, username, email } of items) users.set(id, { id, username, email });
    if (page === maxPages || page * pageSize >= total) return { users: [...users.values()], count: total };
  }
}
