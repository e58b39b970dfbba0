import { dialects } from '../dialects/index.ts';
import type { ServiceContract } from '../index.ts';
import { dialectMessages } from './dialects.ts';
import { commandMessages, eventMessages, heardEvents } from './messages.ts';
import { type Json, schemaBook } from './schemas.ts';

export interface AsyncapiOptions {
  /** Of Trigate. */
  version: string;
  /** Of MQTT topics. */
  baseTopic: string;
}

/** Requests, answers and service events on Socket.IO and MQTT as AsyncAPI 3.0. */
export function asyncapi(contracts: readonly ServiceContract[], { version, baseTopic }: AsyncapiOptions): Json {
  const book = schemaBook(contracts, 'draft-7');
  const { requests, responses, failure } = commandMessages(contracts, book);
  const events = eventMessages(contracts, book);
  const spoken = dialectMessages(dialects, book);
  const messages = { ...requests, ...responses, failure, ...events, ...spoken.messages };
  const commandChannels = channelsOf(baseTopic, contracts, {
    requests: Object.keys(requests),
    responses: Object.keys(responses),
    failures: ['failure'],
    events: Object.keys(events),
  });
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Trigate messages',
      version,
      license: { name: 'MIT', url: 'https://spdx.org/licenses/MIT.html' },
      description: 'Requests, answers and events on Socket.IO and MQTT. HTTP is described by the OpenAPI document.',
    },
    defaultContentType: 'application/json',
    channels: { ...commandChannels, ...spoken.channels },
    operations: { ...operationsOf(commandChannels), ...spoken.operations },
    components: { schemas: book.schemas, messages },
  };
}

interface Channel extends Json {
  messages: Record<string, Json>;
}
type MessageNames = Record<'requests' | 'responses' | 'failures' | 'events', string[]>;

const requestId = {
  requestId: {
    description: 'The requestId of the request: 1 to 128 characters, no control character; on MQTT no + # /',
  },
};

function channelsOf(base: string, contracts: readonly ServiceContract[], names: MessageNames): Record<string, Channel> {
  const channel = (address: string, summary: string, kind: keyof MessageNames, parameters?: Json): Channel => ({
    address,
    summary,
    ...(parameters && { parameters }),
    messages: Object.fromEntries(names[kind].map((name) => [name, { $ref: `#/components/messages/${name}` }])),
  });
  const { entity, ...named } = eventParameters(contracts);
  const ofEntity = { ...named, entity };
  const events = 'events/{domain}/{entity}/{event}';
  const stream = 'stream/{domain}/{event}';
  return {
    socketioRequests: channel('request', 'Socket.IO event of every request', 'requests'),
    socketioResponses: channel(
      '{requestId}',
      'Socket.IO event of the answer, also given to an ack',
      'responses',
      requestId,
    ),
    socketioFailures: channel('failure', 'Socket.IO event for requests that cannot be answered', 'failures'),
    socketioEvents: channel('{domain}:{event}', 'Also as `<domain>:*` and as `<event>`', 'events', named),
    mqttRequests: channel(`${base}/requests`, 'MQTT topic of every request', 'requests'),
    mqttResponses: channel(`${base}/responses/{requestId}`, 'MQTT topic of the answer', 'responses', requestId),
    mqttFailures: channel(`${base}/failures`, 'MQTT topic for requests that cannot be answered', 'failures'),
    mqttEvents: channel(`/${base}/${events}`, 'Events of one entity', 'events', ofEntity),
    mqttStream: channel(`/${base}/${stream}`, 'Events of one kind', 'events', named),
    mqttPlainEvents: channel(`${base}/${events}`, 'The same without the leading slash', 'events', ofEntity),
    mqttPlainStream: channel(`${base}/${stream}`, 'The same without the leading slash', 'events', named),
  };
}

function eventParameters(contracts: readonly ServiceContract[]): Record<'domain' | 'event' | 'entity', Json> {
  const heard = heardEvents(contracts);
  return {
    domain: { enum: [...new Set(heard.map(({ domain }) => domain))] },
    event: { enum: [...new Set(heard.map(({ event }) => event))] },
    entity: { description: 'The id of the entity, or null' },
  };
}

/** Seen from Trigate: it receives requests and sends the rest. */
function operationsOf(channels: Record<string, Channel>): Json {
  return Object.fromEntries(
    Object.keys(channels).flatMap((name) => {
      const channel = { $ref: `#/channels/${name}` };
      const answers = name.replace(/Requests$/, 'Responses');
      if (answers !== name) {
        return [
          [
            `receive${capital(name)}`,
            { action: 'receive', channel, reply: { channel: { $ref: `#/channels/${answers}` } } },
          ],
        ];
      }
      return name.endsWith('Responses') ? [] : [[`send${capital(name)}`, { action: 'send', channel }]];
    }),
  );
}

const capital = (name: string): string => name.charAt(0).toUpperCase() + name.slice(1);
