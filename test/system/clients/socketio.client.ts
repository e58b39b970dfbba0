import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { io, type Socket } from 'socket.io-client';
import { commandTable, contracts } from '../../../shared/contracts/index.ts';
import type { Answer, AnswerError, Ask, Client } from '../clients.ts';
import { within } from './wait.ts';

const maxOpen = 50;
const table = commandTable(contracts);
/** What may be asked again where the connection ended before the answer, as a client that reconnects does. */
const isIdempotent = ({ module, command }: Ask) => table.get(module)?.get(command)?.contract.idempotent === true;
/** The connection ended before the answer. */
class Cut extends Error {}

interface Refused extends Error {
  data?: AnswerError;
}

/** A connected socket. @throws Refused where the server does not let it in */
export async function openSocket(url: string, token: string | null, options: object = {}): Promise<Socket> {
  const socket = io(url, {
    forceNew: true,
    reconnection: false,
    transports: ['websocket'],
    ...(token !== null && { auth: { token } }),
    ...options,
  });
  const connected = new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('connect_error', reject);
  });
  try {
    await within(connected, 'a connection');
    return socket;
  } catch (error) {
    socket.disconnect();
    throw error;
  }
}

/** What was answered; the ack and the event must say the same. */
async function ask(socket: Socket, { module, command, entity, payload }: Ask): Promise<Answer> {
  const requestId = randomUUID();
  const request = { module, command, requestId, ...(entity !== undefined && { entity }) };
  const byEvent = new Promise<unknown>((resolve) => socket.once(requestId, resolve));
  const cut = new Promise<never>((_resolve, reject) => {
    const late = (reason: string) => reject(new Cut(`cut before the answer to ${module}.${command}: ${reason}`));
    // The answer and the end may come in one piece: what was heard before the end counts.
    socket.once('disconnect', (reason) => setImmediate(late, reason));
  });
  cut.catch(() => {});
  const byAck = new Promise<unknown>((resolve) => {
    socket.emit('request', payload === undefined ? request : { ...request, payload }, resolve);
  });
  const [event, ack] = await within(Promise.race([Promise.all([byEvent, byAck]), cut]), `${module}.${command}`);
  if (!isDeepStrictEqual(event, ack)) throw new Error(`event and ack differ: ${JSON.stringify({ event, ack })}`);
  return readAnswer(event, requestId);
}

/** `{error, requestId}`, or the result itself. Shared with MQTT, whose answers look the same. */
export function readAnswer(body: unknown, requestId: string): Answer {
  const { error, requestId: told, ...rest } = (body ?? {}) as Record<string, unknown>;
  if (error === undefined) return { ok: body };
  const { code, message } = error as AnswerError;
  const sound = typeof code === 'string' && typeof message === 'string' && told === requestId;
  if (!sound || Object.keys(rest).length > 0) throw new Error(`not an error's envelope: ${JSON.stringify(body)}`);
  return { error: error as AnswerError };
}

/** One connection per token. A refused connection is the answer to what would have been asked. */
export function socketioClient(url: string): Client {
  const sockets = new Map<string | null, Socket>();

  async function socketOf(token: string | null): Promise<Socket> {
    const open = sockets.get(token);
    if (open?.connected) return open;
    const socket = await openSocket(url, token);
    sockets.set(token, socket);
    const [oldest] = sockets;
    if (sockets.size > maxOpen && oldest) {
      sockets.delete(oldest[0]);
      oldest[1].disconnect();
    }
    return socket;
  }

  return {
    protocol: 'socketio',
    async request(request, as) {
      try {
        return await ask(await socketOf(as), request);
      } catch (error) {
        if (error instanceof Cut && isIdempotent(request) && sockets.delete(as)) return this.request(request, as);
        const { data } = error as Refused;
        if (data?.code === undefined) throw error;
        return { error: data };
      }
    },
    async close() {
      for (const socket of sockets.values()) socket.disconnect();
      sockets.clear();
    },
  };
}
