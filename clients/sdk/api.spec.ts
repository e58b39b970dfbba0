import { expect, test } from '@jest/globals';
import { httpRoutes } from '../../shared/contracts/derive/http.ts';
import {
  type ActionOf,
  type CommandName,
  contracts,
  type ErrorCode as ErrorCodeOfContracts,
  type ParamsOf,
  type ResultOf,
} from '../../shared/contracts/index.ts';
import type { Commands, ErrorCode, NoParams } from './api.generated.ts';
import { httpAddress } from './http.rules.ts';

/** Compared by `npm run types`: this file does not compile where the generated types say something else. */
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;
type PublicName = { [N in CommandName]: ActionOf<N>['access'] extends 'internal' ? never : N }[CommandName];
type ParamsOfContract<N extends CommandName> = unknown extends ParamsOf<ActionOf<N>> ? NoParams : ParamsOf<ActionOf<N>>;
type Different = {
  [N in PublicName & keyof Commands]: [
    Same<ParamsOfContract<N>, Commands[N]['params']>,
    Same<ResultOf<ActionOf<N>>, Commands[N]['result']>,
  ] extends [true, true]
    ? never
    : N;
}[PublicName & keyof Commands];

test('names, parameters, results and codes have the types of the contracts', () => {
  const names: Same<PublicName, keyof Commands> = true;
  const codes: Same<ErrorCodeOfContracts, ErrorCode> = true;
  const types: Same<Different, never> = true;
  expect([names, codes, types]).toEqual([true, true, true]);
});

test('every command is sent to the address HTTP has for it', () => {
  const routes = httpRoutes(contracts).filter(({ method }) => method !== 'PUT');
  expect(routes.length).toBeGreaterThan(30);
  for (const { module, command, method, path, entityFrom } of routes) {
    const entity = entityFrom === 'path' ? { entity: 'a b/c' } : {};
    const { method: ours, path: place } = httpAddress(`${module}.${command}`, entity);
    expect([`${module}.${command}`, ours, place]).toEqual([
      `${module}.${command}`,
      method,
      path.replace('{id}', 'a%20b%2Fc'),
    ]);
  }
});

test('a payload goes into the query where there is no body, else into the body', () => {
  const sortBy = [{ key: 'name', order: 'asc' }];
  expect(httpAddress('cameras.list', { payload: { page: 2, search: 'a&b', sortBy, itemsPerPage: undefined } })).toEqual(
    {
      method: 'GET',
      path: `/api/cameras?page=2&search=a%26b&sortBy=${encodeURIComponent(JSON.stringify(sortBy))}`,
      body: undefined,
    },
  );
  expect(httpAddress('rooms.send', { entity: 'r', payload: { message: 'x' } })).toEqual({
    method: 'POST',
    path: '/api/rooms/r/send',
    body: '{"message":"x"}',
  });
});
