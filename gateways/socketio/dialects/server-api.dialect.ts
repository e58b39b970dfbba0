import { serverApi } from '../../../shared/contracts/dialects/server-api.ts';
import { Failure } from '../../../shared/contracts/index.ts';
import { readEnvelope } from '../../core/envelope.ts';
import { clientEvent, clientMessage } from '../client.events.ts';
import { keep } from '../keep.ts';
import { InvalidPayload } from '../payload.ts';
import { type Handlers, type Refusing, serveDialect } from '../serve.ts';
import type { Dialect, DialectContext } from './dialect.ts';

/** What is wrong with the payload of an event, as the seed of this dialect words it. */
const nouns: Record<string, string> = {
  'client:event': 'event',
  'client:message': 'message',
  'client:action': 'action',
  'room:join': 'room',
  'room:leave': 'room',
};

/** What of a socket outlives its connection, where that is recovered. */
interface Kept {
  registered?: boolean;
}

/** The server API: `register` first, then events, messages, actions and rooms; errors come on `error`. */
export const serverApiDialect: Dialect = (context) => {
  const kept = context.session.socket.data as Kept;
  serveDialect(
    context,
    serverApi,
    { ...registering(context, kept), ...talking(context), ...inRooms(context) },
    {
      admit(event) {
        // No code of the commands': only this dialect has such a step.
        if (event !== 'register' && !kept.registered) throw new NotRegistered();
      },
      refuse,
    },
  );
};

class NotRegistered extends Failure {
  constructor() {
    super('FORBIDDEN', 'Register first');
  }
}

const refuse: Refusing['refuse'] = (event, failure, requestId) => {
  const { message, data } = failure;
  if (event === 'register') return { event: 'register:ack', body: { success: false, error: message } };
  const told = { ...(requestId !== undefined && { requestId }), ...retry(data.retryAfter) };
  return { event: 'error', body: { event, ...faultOf(event, failure), ...told } };
};

const retry = (retryAfter: number | undefined) => (retryAfter === undefined ? {} : { retryAfter });

function faultOf(event: string, failure: Failure): { message: string; code: string } {
  const { message, type } = failure;
  if (failure instanceof NotRegistered) return { message, code: 'NOT_REGISTERED' };
  const noun = nouns[event];
  if (!(failure instanceof InvalidPayload) || !noun) return { message, code: type };
  return { message: `Invalid ${noun} data. ${message}`, code: `INVALID_${noun.toUpperCase()}_DATA` };
}

type Table = Handlers<typeof serverApi>;

const registering = ({ session }: DialectContext, kept: Kept): Pick<Table, 'register'> => ({
  register: {
    act({ userId }, { principal }) {
      if (String(userId) !== principal.id) throw new Failure('FORBIDDEN', 'This is not the user of the token');
      kept.registered = true;
      keep(session.socket);
      return { event: 'register:ack', body: { success: true, userId: principal.id } };
    },
  },
});

const talking = ({
  dispatcher,
  bus,
}: DialectContext): Pick<Table, 'client:event' | 'client:message' | 'client:action'> => ({
  'client:event': {
    allowDollar: () => true,
    async act({ type, data }, { principal, requestId }) {
      const stored = await clientEvent(bus, principal, { type, data: data ?? {} });
      return { event: 'server:response', body: { success: true, requestId, data: stored } };
    },
  },
  'client:message': {
    async act({ content, type, metadata }, { principal, requestId }) {
      const room = roomOf(metadata);
      const payload = { message: content, ...(type !== undefined && { type }), ...(metadata && { metadata }) };
      const request = { module: 'rooms', command: 'send', requestId, entity: room ?? 'me', payload };
      const { id: messageId, timestamp } = (await dispatcher.dispatch(request, principal, 'socketio')) as Stored;
      if (room === undefined) {
        await clientMessage(bus, principal, { messageId, content, type, metadata, timestamp });
      }
      return { event: 'message:ack', body: { success: true, requestId, messageId } };
    },
  },
  'client:action': {
    beside: true,
    async act({ action, params }, { principal, requestId }) {
      const [module, command, ...rest] = action.split('.');
      if (!module || !command || rest.length > 0) throw new InvalidPayload('action: not <module>.<command>.');
      const request = readEnvelope({ module, command, requestId, ...namedParams(params) }, { protocol: 'http' });
      const result = await dispatcher.dispatch(request, principal, 'socketio');
      return { event: 'action:result', body: { success: true, requestId, result: result ?? null } };
    },
  },
});

/** Entity and payload, where the parameters are not the payload itself. */
function namedParams(params: Record<string, unknown> = {}): { entity?: unknown; payload?: unknown } {
  const named = Object.keys(params).length === 0 || Object.hasOwn(params, 'entity') || Object.hasOwn(params, 'payload');
  return named ? params : { payload: params };
}

interface Stored {
  id: string;
  timestamp: string;
}

/** @throws InvalidPayload */
function roomOf(metadata: Record<string, unknown> | undefined): string | undefined {
  if (!metadata || !Object.hasOwn(metadata, 'room')) return undefined;
  const { room } = metadata;
  if (typeof room !== 'string' || room === '') throw new InvalidPayload('metadata.room: not the name of a room.');
  return room;
}

const inRooms = ({ rooms }: DialectContext): Pick<Table, 'room:join' | 'room:leave'> => ({
  'room:join': {
    async act({ room }, { principal }) {
      const joined = await rooms.join(room, principal);
      return { event: 'room:join:ack', body: { success: true, room: joined.room } };
    },
  },
  'room:leave': {
    async act({ room }, { principal }) {
      const { left } = await rooms.leave(room, principal);
      return { event: 'room:leave:ack', body: { success: true, room: left.room } };
    },
  },
});
