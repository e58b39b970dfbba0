import { type Command, type EventContract, entitySchemaOf, type ServiceContract } from '../index.ts';
import { errorValue } from './errors.ts';
import { camelName, publicCommands } from './names.ts';
import type { Json, SchemaBook } from './schemas.ts';

/** A message of AsyncAPI. */
export interface Message extends Json {
  name: string;
  title: string;
  payload: Json;
}
type Messages = Record<string, Message>;

const requestId = { type: 'string', minLength: 1, maxLength: 128 };

/** One request and one answer per command; what answers nothing and what fails share theirs. */
export function commandMessages(
  contracts: readonly ServiceContract[],
  book: SchemaBook,
): { requests: Messages; responses: Messages; failure: Message } {
  const requests: Messages = {};
  const responses: Messages = { done, failed };
  for (const command of publicCommands(contracts)) {
    const name = camelName(command.module, command.command);
    requests[`${name}Request`] = request(name, command, book);
    const { result, summary } = command.contract;
    if (!result) continue;
    const payload = book.output(`${name}Result`, result);
    responses[`${name}Response`] = { name: `${name}Response`, title: `Answer: ${summary}`, payload };
  }
  return { requests, responses, failure };
}

function request(name: string, { module, command, contract }: Command, book: SchemaBook): Message {
  const { payload, entity, summary } = contract;
  const required = ['command', 'module', 'requestId'];
  if (entity === 'required') required.push('entity');
  if (payload && !payload.safeParse({}).success) required.push('payload');
  return {
    name: `${name}Request`,
    title: summary,
    correlationId: { location: '$message.payload#/requestId' },
    payload: {
      type: 'object',
      required,
      properties: {
        command: { const: command },
        module: { const: module },
        requestId,
        ...(entity && { entity: book.inline(`${name}Entity`, entitySchemaOf(contract)) }),
        ...(payload && { payload: book.input(name, payload) }),
        token: { type: 'string', description: 'MQTT only: the bearer, where the connection has none' },
      },
      additionalProperties: false,
    },
  };
}

const done: Message = {
  name: 'done',
  title: 'Answer of a command that has no result',
  summary: 'null on Socket.IO, an empty message on MQTT',
  payload: { type: 'null' },
};

const failed: Message = {
  name: 'failed',
  title: 'Answer of a command that failed',
  correlationId: { location: '$message.payload#/requestId' },
  payload: { type: 'object', required: ['error', 'requestId'], properties: { error: errorValue, requestId } },
};

const failure: Message = {
  name: 'failure',
  title: 'A request that cannot be answered: it cannot be parsed or has no usable requestId',
  payload: {
    type: 'object',
    required: ['error'],
    properties: {
      error: errorValue,
      message: { type: 'string', description: 'Socket.IO only: that of the error' },
      details: { type: 'array', items: { type: 'object' }, description: 'Socket.IO only: those of the error' },
    },
  },
};

/** One message per event that clients hear: `cameraDemand`. */
export function eventMessages(contracts: readonly ServiceContract[], book: SchemaBook): Messages {
  return Object.fromEntries(
    heardEvents(contracts).map(({ domain, event, contract }): [string, Message] => {
      const name = camelName(domain, event);
      return [name, eventMessage(name, domain, event, contract, book)];
    }),
  );
}

/** The events of every contract but those that only services hear. */
export const heardEvents = (contracts: readonly ServiceContract[]) =>
  contracts.flatMap(({ events = {} }) =>
    Object.entries(events).flatMap(([domain, byName]) =>
      Object.entries(byName).flatMap(([event, contract]) => {
        return contract.audience === 'services' ? [] : [{ domain, event, contract }];
      }),
    ),
  );

const hearers = {
  users: 'users',
  admins: 'administrators',
  named: 'those it concerns, and administrators',
  services: 'services',
};

function eventMessage(
  name: string,
  domain: string,
  event: string,
  { summary, audience, details }: EventContract,
  book: SchemaBook,
): Message {
  return {
    name,
    title: `${domain} ${event}`,
    summary,
    description: `Heard by ${hearers[audience]}.`,
    payload: {
      type: 'object',
      required: ['domain', 'event', 'entity', 'details', 'at'],
      properties: {
        domain: { const: domain },
        event: { const: event },
        entity: { type: ['string', 'null'] },
        details: book.output(`${name}Details`, details),
        at: { type: 'string', format: 'date-time' },
      },
    },
  };
}
