import type { Bus } from '../../../shared/fanout/bus.ts';
import type { Fanout } from '../../../shared/fanout/fanout.ts';
import type { Log } from '../../../shared/runtime/log.ts';
import type { Dispatcher } from '../../core/dispatch.types.ts';
import type { SessionRooms } from '../rooms.ts';
import type { Session } from '../session.ts';

export interface DialectContext {
  session: Session;
  rooms: SessionRooms;
  dispatcher: Dispatcher;
  fanout: Fanout;
  bus: Bus;
  log: Log;
  /** Counts a message from or to the client. */
  packet(direction: 'in' | 'out'): void;
}

/** How one family of clients speaks: the events it sends and what they are answered with. */
export type Dialect = (context: DialectContext) => void;
