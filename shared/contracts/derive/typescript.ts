import { type Command, errorTable, type ServiceContract } from '../index.ts';
import { camelName, publicCommands } from './names.ts';
import { type Json, type SchemaBook, schemaBook } from './schemas.ts';
import { objectType, typeName, typeOf } from './types.ts';

/**
 * The text of a TypeScript module that says what a client may send and hears, and imports nothing: clients outside
 * this repository have neither the contracts nor zod. `repeatable` is the one value in it.
 */
export function typescript(contracts: readonly ServiceContract[]): string {
  const book = schemaBook(contracts, 'draft-2020-12');
  const commands = publicCommands(contracts);
  const table = commands.flatMap((command) => commandLines(command, book));
  const events = contracts.flatMap((contract) => eventLines(contract, book));
  const repeatable = commands.filter(({ contract }) => contract.idempotent).map(nameOf);
  return [
    '// Made of the contracts by `npm run generate`; change those.',
    ...Object.entries(book.schemas).map(([name, schema]) => declaration(typeName(name), schema)),
    `export type ErrorCode =\n${Object.keys(errorTable)
      .map((code) => `  | '${code}'`)
      .join('\n')};`,
    '/** An event of a service: what happened to which entity, and when (ISO 8601, UTC). */',
    `export interface ServiceEvent<Domain extends string, Event extends string, Details> {
  domain: Domain;
  event: Event;
  entity: string | null;
  details: Details;
  at: string;
}`,
    '/** A command that takes neither entity nor payload. */',
    'export type NoParams = Record<string, never>;',
    '/** Parameters and result of every command. */',
    ['export interface Commands {', ...table, '}'].join('\n'),
    '/** Every event of the services, as it comes on `<domain>:<event>`. */',
    ['export interface ServiceEvents {', ...events, '}'].join('\n'),
    '/** Commands that may be sent again where no answer came: twice does what once does. */',
    `export const repeatable: ReadonlySet<string> = new Set([\n${repeatable.map((name) => `  '${name}',`).join('\n')}\n]);`,
    '',
  ].join('\n');
}

const nameOf = ({ module, command }: Command): string => `${module}.${command}`;

function declaration(name: string, schema: Json): string {
  const isObject = schema.type === 'object' && Object.keys((schema.properties ?? {}) as Json).length > 0;
  return isObject ? `export interface ${name} ${objectType(schema)}` : `export type ${name} = ${typeOf(schema)};`;
}

function commandLines(action: Command, book: SchemaBook): string[] {
  const { summary, access, entity, payload, result } = action.contract;
  const name = camelName(action.module, action.command);
  const params: string[] = [];
  if (entity) params.push(`entity${entity === 'optional' ? '?' : ''}: string`);
  if (payload) {
    const optional = payload.safeParse({}).success;
    params.push(`payload${optional ? '?' : ''}: ${typeOf(book.input(`${name}Payload`, payload))}`);
  }
  const answer = result ? typeOf(book.output(`${name}Result`, result)) : 'undefined';
  return [
    `  /** ${summary}. ${callers[access]} */`,
    `  '${nameOf(action)}': { params: ${params.length > 0 ? `{ ${params.join('; ')} }` : 'NoParams'}; result: ${answer} };`,
  ];
}

const callers = {
  anyone: 'Needs no login.',
  user: 'For users.',
  admin: 'For administrators.',
  internal: '',
} as const;

/** Audiences among which clients are. */
const heard: readonly string[] = ['users', 'admins', 'named'];

function eventLines({ events = {} }: ServiceContract, book: SchemaBook): string[] {
  return Object.entries(events).flatMap(([domain, byName]) =>
    Object.entries(byName).flatMap(([event, { summary, audience, details }]) => {
      if (!heard.includes(audience)) return [];
      const type = typeOf(book.output(`${camelName(domain, event)}Details`, details));
      return [`  /** ${summary}. */`, `  '${domain}:${event}': ServiceEvent<'${domain}', '${event}', ${type}>;`];
    }),
  );
}
