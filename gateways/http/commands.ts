import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import qs from 'qs';
import type { HttpRoute } from '../../shared/contracts/derive/http.ts';
import { queryPayload } from '../../shared/contracts/derive/query.ts';
import { Failure, pageResult, type ServiceContract } from '../../shared/contracts/index.ts';
import type { Config } from '../../shared/runtime/config.ts';
import { toFailure } from '../../shared/runtime/failure.ts';
import { anonymous, type Principal } from '../../shared/runtime/principal.ts';
import { clientAddress } from '../core/address.ts';
import type { Dispatcher } from '../core/dispatch.types.ts';
import type { Limit } from '../core/limits.ts';
import { assertSafeKeys, unsafeFailure } from '../core/safe-json.ts';
import { type Authenticate, isSigned } from './authenticate.ts';
import { readJsonBody } from './body.ts';
import { writeFailurePage, writePage } from './page.ts';
import { writeFailure, writeResult } from './reply.ts';
import { createRouter, type Found } from './router.ts';

export interface CommandDeps {
  contracts: readonly ServiceContract[];
  dispatcher: Dispatcher;
  authenticate: Authenticate;
  limit: Limit;
  config: Pick<Config, 'trustProxy'>;
  packet(direction: 'in' | 'out'): void;
}

const requestIdPattern = /^[\w.:@-]{1,128}$/;

/** The client's id for a request where it is a usable one, else a new one. */
export function requestIdOf(request: IncomingMessage): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && requestIdPattern.test(given) ? given : randomUUID();
}

/** Commands of the contracts over HTTP; answers false where the path is none of theirs. */
export function commandHandler({ contracts, dispatcher, authenticate, limit, config, packet }: CommandDeps) {
  const router = createRouter(contracts);

  async function principalOf(request: IncomingMessage, route: HttpRoute): Promise<Principal> {
    // An outdated token must not keep anybody from logging in; a signature is checked wherever there is one.
    if (route.contract.access === 'anyone' && !isSigned(request)) return anonymous;
    return authenticate(request, route.contract.by);
  }

  async function run(
    request: IncomingMessage,
    response: ServerResponse,
    requestId: string,
    query: string,
    found: Found,
  ) {
    const { route, entity } = found;
    const principal = await principalOf(request, route);
    await limit.take(principal.id || clientAddress(request, config.trustProxy));
    const payload = await readPayload(request, route, query);
    const result = await dispatcher.dispatch(
      {
        module: route.module,
        command: route.command,
        requestId,
        ...(entity !== undefined && { entity }),
        ...(payload !== undefined && { payload }),
      },
      principal,
      'http',
      route.contract.http?.page ? undefined : 'jsonText',
    );
    if (route.contract.http?.page) writePage(response, route.status, requestId, pageResult.parse(result));
    else writeResult(response, route.status, requestId, result);
  }

  return (request: IncomingMessage, response: ServerResponse): boolean => {
    const url = request.url as string;
    const mark = url.indexOf('?');
    const path = mark === -1 ? url : url.slice(0, mark);
    const requestId = requestIdOf(request);
    let page = false;
    const fail = (error: unknown) => {
      packet('out');
      if (page) writeFailurePage(response, requestId, toFailure(error));
      else writeFailure(response, requestId, toFailure(error));
    };
    try {
      const found = router.find(request.method as string, path);
      if (!found) return false;
      packet('in');
      if ('allow' in found) {
        response.setHeader('allow', found.allow);
        throw new Failure('METHOD_NOT_ALLOWED');
      }
      page = found.route.contract.http?.page === true;
      run(request, response, requestId, mark === -1 ? '' : url.slice(mark + 1), found).then(() => packet('out'), fail);
    } catch (error) {
      fail(error);
    }
    return true;
  };
}

async function readPayload(request: IncomingMessage, route: HttpRoute, query: string): Promise<unknown> {
  if (request.method === 'GET' || request.method === 'HEAD') return readQuery(route, query);
  const body = await readJsonBody(request, { allowDollar: route.contract.freeForm === true });
  if (body !== undefined && route.payloadFrom !== 'body' && isEmptyObject(body)) return undefined;
  return body ?? readQuery(route, query);
}

const isEmptyObject = (value: unknown) =>
  typeof value === 'object' && value !== null && Object.keys(value).length === 0;

/** qs leaves a key `__proto__` out without a word; here it is refused like every other such key. */
function decodeQueryPart(text: string, decode: (text: string) => string, _charset: string, kind?: 'key' | 'value') {
  const decoded = decode(text);
  if (kind === 'key' && decoded.split(/[[\]]/).includes('__proto__')) {
    const key = '__proto__';
    throw unsafeFailure({ kind: 'key', key, path: ['payload', key] });
  }
  return decoded;
}

/** A query string as a payload; undefined where it is empty and none is needed. @throws Failure INVALID_REQUEST */
function readQuery(route: HttpRoute, query: string): unknown {
  if (query === '') return undefined;
  const raw = qs.parse(query, {
    depth: 5,
    parameterLimit: 100,
    arrayLimit: 10,
    allowPrototypes: true,
    strictDepth: false,
    decoder: decodeQueryPart,
  });
  const schema = route.contract.payload;
  const payload = schema ? queryPayload(schema, raw) : raw;
  assertSafeKeys(payload);
  return payload;
}
