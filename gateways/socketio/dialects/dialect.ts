import type { Dispatcher } from '../../core/dispatch.types.ts';
import type { Session } from '../session.ts';

export interface DialectContext {
  session: Session;
  dispatcher: Dispatcher;
  /** Counts a message from or to the client. */
  packet(direction: 'in' | 'out'): void;
}

/** How one family of clients speaks: the events it sends and what they are answered with. */
export type Dialect = (context: DialectContext) => void;
