import { type Msg, type NatsConnection, nanos } from 'nats';

/** A message a pull consumer delivered. */
export interface Pulled {
  readonly consumer: string;
  /** Place in the stream, from 1. */
  readonly sequence: number;
  /** Place among what this consumer delivered, from 1. */
  readonly delivery: number;
  /** How often it was delivered, from 1. */
  readonly attempt: number;
  /** Where acknowledgements go. */
  readonly reply: string;
  text(): string;
}

/**
 * The reply subject tells all about a delivery:
 * `$JS.ACK.<stream>.<consumer>.<attempt>.<sequence>.<delivery>.<time>.<pending>`, with domain and account hash in
 * front of the stream and a random token at the end in newer servers.
 */
export function pulledOf(message: Msg): Pulled {
  const reply = message.reply ?? '';
  const tokens = reply.split('.');
  const at = tokens.length === 9 ? 3 : 5;
  return {
    consumer: tokens[at] ?? '',
    attempt: Number(tokens[at + 1]),
    sequence: Number(tokens[at + 2]),
    delivery: Number(tokens[at + 3]),
    reply,
    text: () => message.string(),
  };
}

/** Sends an acknowledgement; one that cannot be sent leaves the message to the ack wait. */
function answer(connection: NatsConnection, reply: string, body: string): void {
  if (!connection.isClosed()) connection.publish(reply, body);
}

export const ack = (connection: NatsConnection, reply: string) => answer(connection, reply, '+ACK');
/** More time: the handler still runs. */
export const working = (connection: NatsConnection, reply: string) => answer(connection, reply, '+WPI');
/** Never again. */
export const terminate = (connection: NatsConnection, reply: string) => answer(connection, reply, '+TERM');
/** Again, `ms` from now. */
export const nak = (connection: NatsConnection, reply: string, ms = 0) =>
  answer(connection, reply, ms > 0 ? `-NAK {"delay":${nanos(ms)}}` : '-NAK');
