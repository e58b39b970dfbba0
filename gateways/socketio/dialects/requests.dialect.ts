import { toFailure } from '../../../shared/runtime/failure.ts';
import { JsonText } from '../../../shared/runtime/json-text.ts';
import { errorReply, readRequest } from '../codec.ts';
import { emitResult } from '../emit.ts';
import type { Dialect } from './dialect.ts';

type Ack = (answer: unknown) => void;

/**
 * NestMTX's dialect: the event `request`, answered on the event named by its requestId and by an ack where one is
 * given; what cannot be answered there is told on `failure`.
 */
export const requestsDialect: Dialect = ({ session, dispatcher, packet }) => {
  const { socket } = session;

  const answer = (event: string, body: unknown, ack: unknown) => {
    packet('out');
    emitResult(socket, event, body);
    if (typeof ack === 'function') (ack as Ack)(body instanceof JsonText ? body.toJSON() : body);
  };

  session.on('request', async (refused, argument, ack) => {
    packet('in');
    const read = readRequest(argument, refused);
    if ('failure' in read) {
      const { failure, requestId } = read;
      if (requestId !== undefined) return answer(requestId, errorReply(failure, requestId), ack);
      // `message` and `details` at the top are where clients of NestMTX look.
      const reply = errorReply(failure);
      return answer('failure', { message: failure.message, details: failure.data.details ?? [], ...reply }, ack);
    }
    const { request } = read;
    try {
      const run = async () => dispatcher.dispatch(request, await session.currentPrincipal(), 'socketio', 'jsonText');
      answer(request.requestId, (await session.within(run)) ?? null, ack);
    } catch (error) {
      answer(request.requestId, errorReply(toFailure(error), request.requestId), ack);
    }
  });
};
