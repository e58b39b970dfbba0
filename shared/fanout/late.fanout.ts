import { Failure } from '../contracts/index.ts';
import type { Fanout } from './fanout.ts';

/** A fan-out for who starts before the server that has the sockets; UNAVAILABLE until `use` is called. */
export function lateFanout(): Fanout & { use(fanout: Fanout): void } {
  let used: Fanout | undefined;
  /** @throws Failure UNAVAILABLE */
  const there = (): Fanout => {
    if (!used) throw new Failure('UNAVAILABLE', 'Socket.IO is not there yet', { retryAfter: 1 });
    return used;
  };
  return {
    use(fanout) {
      used = fanout;
    },
    emit: (audiences, event, args) => used?.emit(audiences, event, args),
    send: (audiences, event, args) => there().send(audiences, event, args),
    deliver: async (audiences, event, args) => there().deliver(audiences, event, args),
    status: async () => there().status(),
    close: async () => used?.close(),
  };
}
