import type { Socket } from 'socket.io';
import { NatsAdapter } from '../../shared/fanout/adapter/index.ts';

/** What of a connection outlives it (`socket.data`) has changed: also where its gateway is killed, it comes back with it. */
export function keep({ id, nsp: { adapter } }: Pick<Socket, 'id' | 'nsp'>): void {
  if (adapter instanceof NatsAdapter) adapter.touch(id);
}
