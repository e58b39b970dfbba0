import type { z } from 'zod';
import { type ActionContract, commonErrors, type ErrorCode, entitySchemaOf, type ServiceContract } from '../index.ts';
import { byStatus, errorBody, errorResponse, responseName } from './errors.ts';
import { type HttpRoute, httpRoutes } from './http.ts';
import { camelName } from './names.ts';
import { type Json, type SchemaBook, schemaBook } from './schemas.ts';

export interface OpenapiOptions {
  /** Of Trigate. */
  version: string;
  /** Path items of what is no command, such as the push API. */
  paths?: Json;
}

/** The HTTP protocol as OpenAPI 3.1: every command a client may send. */
export function openapi(contracts: readonly ServiceContract[], { version, paths }: OpenapiOptions): Json {
  const book = schemaBook(contracts, 'draft-2020-12');
  const responses: Record<string, Json> = {};
  const items: Record<string, Json> = {};
  for (const route of httpRoutes(contracts)) {
    items[route.path] ??= route.entityFrom ? { parameters: [pathParameter(route, book)] } : {};
    (items[route.path] as Json)[route.method.toLowerCase()] = operation(route, book, responses);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Trigate API',
      version,
      license: { name: 'MIT', identifier: 'MIT' },
      description: 'One API behind HTTP, Socket.IO and MQTT. The other two are described by the AsyncAPI document.',
    },
    servers: [{ url: '/' }],
    tags: tags(contracts),
    paths: { ...items, ...paths },
    components: {
      schemas: { ...book.schemas, Error: errorBody },
      parameters: { id: entityParameter('id', book) },
      responses,
      headers: { requestId: requestIdHeader },
      securitySchemes,
    },
  };
}

const securitySchemes = {
  bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'What `POST /api/auth` answers' },
  apiKey: {
    type: 'apiKey',
    in: 'header',
    name: 'X-API-Key',
    description:
      'Acts with the roles it was given. A request may be signed, and must be where the key was made so: `X-Request-Timestamp` (milliseconds), `X-Request-Nonce`, `X-Signature-Version` (`v1` or `v2`) and `X-Signature`',
  },
};

const requestIdHeader = {
  description: 'The `X-Request-Id` of the request, or a new one; logs and traces name it',
  schema: { type: 'string' },
};

const entityParameter = (name: string, book: SchemaBook, contract: Pick<ActionContract, 'longEntity'> = {}): Json => ({
  name,
  in: 'path',
  required: true,
  description: 'The entity, percent-encoded',
  schema: book.inline(name, entitySchemaOf(contract)),
});

function pathParameter({ path }: HttpRoute, book: SchemaBook): Json {
  const name = /\{(\w+)\}/.exec(path)?.[1] as string;
  return name === 'id' ? { $ref: '#/components/parameters/id' } : entityParameter(name, book);
}

/** Modules all of whose commands are internal have no operation, hence no tag. */
const tags = (contracts: readonly ServiceContract[]): Json[] =>
  contracts.flatMap(({ modules }) =>
    Object.entries(modules)
      .filter(([, { actions }]) => Object.values(actions).some(({ access }) => access !== 'internal'))
      .map(([name, { summary }]) => ({ name, description: summary })),
  );

function operation(route: HttpRoute, book: SchemaBook, responses: Record<string, Json>): Json {
  const { module, command, method, contract } = route;
  const name = camelName(module, command);
  const who = { anyone: 'Anyone', user: 'Users', admin: 'Administrators', internal: '' }[contract.access];
  return {
    tags: [module],
    // PUT and PATCH are one command; an id of an operation is unique.
    operationId: method === 'PATCH' ? camelName(module, 'patch') : name,
    summary: contract.summary,
    description: `${who} may call this.`,
    security: securityOf(contract),
    ...(route.payloadFrom === 'query' &&
      contract.payload && { parameters: queryParameters(name, contract.payload, book) }),
    ...(contract.longEntity && { parameters: [entityParameter('id', book, contract)] }),
    ...(route.payloadFrom === 'body' && contract.payload && { requestBody: requestBody(name, contract.payload, book) }),
    responses: {
      [route.status]: success(name, contract, book),
      ...(contract.http?.page ? { default: failurePage } : failures(route, responses)),
    },
  };
}

const securityOf = ({ access, by }: ActionContract): Json[] =>
  access === 'anyone' ? [] : by === 'key' ? [{ apiKey: [] }] : [{ bearer: [] }, { apiKey: [] }];

const requestBody = (name: string, payload: z.ZodObject, book: SchemaBook): Json => ({
  required: !payload.safeParse({}).success,
  content: { 'application/json': { schema: book.input(name, payload) } },
});

/** Lists and objects as JSON text, which OpenAPI can say; `sortBy[0][key]=name` is understood too. */
function queryParameters(name: string, payload: z.ZodObject, book: SchemaBook): Json[] {
  const { properties = {}, required = [] } = book.inline(name, payload) as { properties?: Json; required?: string[] };
  return Object.entries(properties).map(([key, value]) => {
    const schema = value as { type?: string };
    const structured = schema.type === 'array' || schema.type === 'object';
    return {
      name: key,
      in: 'query',
      required: required.includes(key),
      ...(structured ? { content: { 'application/json': { schema } } } : { schema }),
    };
  });
}

function success(name: string, { summary, result, http }: ActionContract, book: SchemaBook): Json {
  const headers = { 'X-Request-Id': { $ref: '#/components/headers/requestId' } };
  if (!result) return { description: 'Done', headers };
  const schema = http?.page ? { type: 'string' } : book.output(`${name}Result`, result);
  const type = http?.page ? 'text/html' : 'application/json';
  return { description: summary, headers, content: { [type]: { schema } } };
}

const failurePage: Json = {
  description: 'The same page says what went wrong',
  content: { 'text/html': { schema: { type: 'string' } } },
};

/** One response per status, shared by the operations with the same codes under it. */
function failures({ contract, payloadFrom }: HttpRoute, responses: Record<string, Json>): Json {
  const codes = new Set<ErrorCode>([...commonErrors, ...(contract.errors ?? [])]);
  if (contract.access !== 'anyone') codes.add('INVALID_API_KEY').add('INVALID_SIGNATURE').add('REPLAYED_REQUEST');
  if (payloadFrom === 'body') codes.add('PAYLOAD_TOO_LARGE').add('UNSUPPORTED_MEDIA_TYPE');
  return Object.fromEntries(
    [...byStatus(codes)].map(([status, group]) => {
      const name = responseName(group);
      responses[name] ??= errorResponse(group);
      return [status, { $ref: `#/components/responses/${name}` }];
    }),
  );
}
