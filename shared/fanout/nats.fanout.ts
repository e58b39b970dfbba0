import { randomUUID } from 'node:crypto';
import type { NatsConnection } from 'nats';
import { createEmitter } from './adapter/index.ts';
import type { Bus } from './bus.ts';
import { type Audience, type Fanout, socketRoom } from './fanout.ts';
import { type SocketsAnswer, socketsTopics } from './sockets.notices.ts';

export interface NatsFanoutOptions {
  connection: NatsConnection;
  bus: Bus;
  /** That of the gateways' adapters. */
  prefix: string;
  log: { warn(fields: object, message: string): void };
}

const answerMs = 2_000;

/** The sockets of the cluster, for a process that has none: packets go out over NATS, to who holds the audience. */
export async function natsFanout({ connection, bus, prefix, log }: NatsFanoutOptions): Promise<Fanout> {
  const emitter = createEmitter(connection, { prefix, recovery: true, timeout: answerMs, log });
  const everybody = emitter.of('/');
  const asking = new Map<string, (answer: SocketsAnswer) => void>();
  const answers = await bus.listen(socketsTopics.answer, (data) => {
    const answer = data as SocketsAnswer;
    asking.get(answer.id)?.(answer);
  });

  const target = (audiences: readonly Audience[]) => {
    const rooms = audiences.map(socketRoom);
    return rooms.includes(undefined) ? everybody : everybody.to(rooms as string[]);
  };

  const send: Fanout['send'] = (audiences, event, args) => {
    if (audiences.length > 0) target(audiences).emit(event, ...args);
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
      return { recipients: await target(audiences).emitAndCount(event, ...args) };
    },
    /** The gateways name their rooms, as one room may have sockets on several; it waits until all sockets are told of. */
    async status() {
      const connections = await everybody.recipients();
      const rooms = new Set<string>();
      let more = 0;
      let told = 0;
      if (connections > 0) {
        const id = randomUUID();
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, answerMs);
          asking.set(id, (answer) => {
            for (const room of answer.rooms) rooms.add(room);
            more += answer.more;
            told += answer.connections;
            if (told < connections) return;
            clearTimeout(timer);
            resolve();
          });
          bus.notify(socketsTopics.ask, { id });
        });
        asking.delete(id);
      }
      return { connections, rooms: rooms.size + more };
    },
    async close() {
      await answers.stop();
      await emitter.close();
    },
  };
}
