import type { Server } from 'socket.io';
import { NatsAdapter } from '../../shared/fanout/adapter/index.ts';
import { type Audience, type Fanout, socketRoom } from '../../shared/fanout/fanout.ts';
import type { Log } from '../../shared/runtime/log.ts';
import { othersOf } from './others.ts';

/** What gateways ask each other, through the adapter. */
const countEvent = 'trigate:count';
const statusEvent = 'trigate:status';
/** Names of rooms a gateway tells; of more it tells the number, and rooms shared with other gateways count twice. */
const maxNames = 10_000;

interface Status {
  connections: number;
  /** Their names, and how many more there are. */
  rooms: string[];
  more: number;
}

/** Socket.IO rooms of the audiences; undefined is everybody. */
function roomsOf(audiences: readonly Audience[]): string[] | undefined {
  const rooms = audiences.map(socketRoom);
  return rooms.includes(undefined) ? undefined : (rooms as string[]);
}

/** What a gateway tells of its own sockets. */
export function statusOf(io: Server): Status {
  const { adapter, sockets } = io.of('/');
  const names = [...adapter.rooms.keys()].filter((name) => name.startsWith('room:'));
  const rooms = names.slice(0, maxNames);
  return { connections: sockets.size, rooms, more: names.length - rooms.length };
}

/** Audiences of the cluster by way of a Socket.IO server and whatever adapter it has. */
export function socketioFanout(io: Server, log: Pick<Log, 'warn'>): Fanout {
  const main = io.of('/');
  const countHere = async (rooms: string[] | null): Promise<number> =>
    rooms === null ? main.sockets.size : (await main.adapter.sockets(new Set(rooms))).size;
  const statusHere = () => statusOf(io);
  const answerCount = (rooms: string[] | null, answer: (count: number) => void) =>
    void countHere(rooms).then(answer, () => answer(0));
  const answerStatus = (answer: (status: Status) => void) => answer(statusHere());
  const server = io as unknown as NodeJS.EventEmitter;
  server.on(countEvent, answerCount);
  server.on(statusEvent, answerStatus);

  const send: Fanout['send'] = (audiences, event, args) => {
    // To no audience is to nobody: Socket.IO would take no room for everybody.
    if (audiences.length === 0) return;
    const rooms = roomsOf(audiences);
    if (main.adapter instanceof NatsAdapter) main.adapter.emitWhole(rooms ?? [], event, args);
    else if (rooms) io.to(rooms).emit(event, ...args);
    else io.emit(event, ...args);
  };

  return {
    send,
    emit(audiences, event, args) {
      try {
        send(audiences, event, args);
      } catch (error) {
        log.warn({ err: error, event }, 'an event could not be handed on');
      }
    },
    async deliver(audiences, event, args) {
      if (audiences.length === 0) return { recipients: 0 };
      send(audiences, event, args);
      const rooms = roomsOf(audiences) ?? null;
      const [here, others] = await Promise.all([countHere(rooms), othersOf(io)(countEvent, rooms)]);
      return { recipients: (others as number[]).reduce((sum, count) => sum + count, here) };
    },
    async status() {
      const all = [statusHere(), ...((await othersOf(io)(statusEvent)) as Status[])];
      const names = new Set(all.flatMap(({ rooms }) => rooms));
      return {
        connections: all.reduce((sum, { connections }) => sum + connections, 0),
        rooms: all.reduce((sum, { more }) => sum + more, names.size),
      };
    },
    async close() {
      server.off(countEvent, answerCount);
      server.off(statusEvent, answerStatus);
    },
  };
}
