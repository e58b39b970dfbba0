import type { DialectContract, ReceivedEvent, SentEvent } from '../dialects/dialect.ts';
import type { Message } from './messages.ts';
import { camelName } from './names.ts';
import type { Json, SchemaBook } from './schemas.ts';

interface Spoken {
  channels: Record<string, Json>;
  operations: Record<string, Json>;
  messages: Record<string, Message>;
}

/** The events of Socket.IO dialects: a channel, an operation and a message for each. */
export function dialectMessages(dialects: readonly DialectContract[], book: SchemaBook): Spoken {
  const spoken: Spoken = { channels: {}, operations: {}, messages: {} };
  for (const dialect of dialects) {
    for (const [event, sent] of Object.entries(dialect.sends)) addSent(spoken, dialect, event, sent, book);
    for (const [event, received] of Object.entries(dialect.receives))
      addReceived(spoken, dialect, event, received, book);
  }
  return spoken;
}

function addSent(
  spoken: Spoken,
  { dialect, summary }: DialectContract,
  event: string,
  sent: SentEvent,
  book: SchemaBook,
) {
  const name = camelName(dialect, event);
  const payload = sent.data ? book.output(`${name}Data`, sent.data) : { description: 'Whatever the push holds' };
  spoken.messages[name] = { name, title: event, summary: sent.summary, payload };
  spoken.channels[name] = channel(event, `${summary}, Socket.IO event to the client`, name);
  spoken.operations[operation('send', name)] = { action: 'send', channel: { $ref: `#/channels/${name}` } };
}

function addReceived(
  spoken: Spoken,
  { dialect, summary }: DialectContract,
  event: string,
  received: ReceivedEvent,
  book: SchemaBook,
): void {
  const name = camelName(dialect, event);
  const payload = book.input(`${name}Payload`, received.payload);
  spoken.messages[name] = { name, title: event, summary: received.summary, payload };
  spoken.channels[name] = channel(event, `${summary}, Socket.IO event from the client; takes an ack`, name);
  const answer = received.answer && { channel: { $ref: `#/channels/${camelName(dialect, received.answer)}` } };
  spoken.operations[operation('receive', name)] = {
    action: 'receive',
    channel: { $ref: `#/channels/${name}` },
    ...(answer && { reply: answer }),
  };
}

const channel = (address: string, summary: string, name: string): Json => ({
  address,
  summary,
  messages: { [name]: { $ref: `#/components/messages/${name}` } },
});

const operation = (verb: 'send' | 'receive', name: string): string =>
  `${verb}${name.charAt(0).toUpperCase()}${name.slice(1)}`;
