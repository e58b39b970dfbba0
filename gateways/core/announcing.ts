import type { Fanout } from '../../shared/fanout/fanout.ts';
import { JsonText } from '../../shared/runtime/json-text.ts';
import type { Dispatcher } from './dispatch.types.ts';

/** What a message sent to a room answers with. */
interface RoomMessage {
  room: string;
}

/** A dispatcher that lets the sockets in a room hear what any client sends there, whatever its protocol. */
export const announcing = (dispatcher: Dispatcher, fanout: Pick<Fanout, 'emit'>): Dispatcher => ({
  async dispatch(request, principal, protocol, form) {
    const result = await dispatcher.dispatch(request, principal, protocol, form);
    // What is sent to `me` is a note of one's own.
    if (request.module === 'rooms' && request.command === 'send' && request.entity !== 'me') {
      const message = (result instanceof JsonText ? result.toJSON() : result) as RoomMessage;
      fanout.emit([{ kind: 'room', name: message.room }], 'new_message', [message]);
    }
    return result;
  },
});
