/**
 * How anything in the cluster reaches the sockets of clients: by audience, wherever the sockets are. Gateways with
 * Socket.IO implement it on their server (`socketio` room names below), processes without one over NATS.
 */

/** Who hears. `room` is a name clients join; a user's or a role's audience cannot be joined. */
export type Audience =
  | { kind: 'everyone' }
  | { kind: 'room'; name: string }
  | { kind: 'user'; id: string }
  | { kind: 'role'; role: string };

export interface Fanout {
  /**
   * Emits an event to every socket in any of the audiences, to each once. Fire and forget: what cannot be handed to
   * the bus is logged. Order is kept per audience.
   */
  emit(audiences: readonly Audience[], event: string, args: readonly unknown[]): void;
  /** As emit, but throws: nobody hears it then. @throws RangeError where the event is larger than the bus takes */
  send(audiences: readonly Audience[], event: string, args: readonly unknown[]): void;
  /**
   * As send, and resolves to how many sockets there were; gateways that do not answer within 2 s are not counted.
   * @throws RangeError where the event is larger than the bus takes
   */
  deliver(audiences: readonly Audience[], event: string, args: readonly unknown[]): Promise<{ recipients: number }>;
  /** Sockets and joined rooms over the cluster, with the same bound. */
  status(): Promise<{ connections: number; rooms: number }>;
  close(): Promise<void>;
}

/**
 * The Socket.IO room that stands for an audience; undefined is everyone. What clients name is prefixed, so that nobody
 * joins the room of a socket id or of a user.
 */
export function socketRoom(audience: Exclude<Audience, { kind: 'everyone' }>): string;
export function socketRoom(audience: Audience): string | undefined;
export function socketRoom(audience: Audience): string | undefined {
  switch (audience.kind) {
    case 'everyone':
      return undefined;
    case 'room':
      return `room:${audience.name}`;
    case 'user':
      return `user:${audience.id}`;
    case 'role':
      return `role:${audience.role}`;
  }
}
