import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { RevokedHandler } from '../../gateways/core/dispatch.types.ts';
import { EmqxApi } from '../../gateways/mqtt/emqx/api.ts';
import { EmqxSessions } from '../../gateways/mqtt/emqx/revoked.ts';
import { Failure } from '../../shared/contracts/index.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import { type EmqxStandIn, emqxKey, startEmqxStandIn } from '../servers/emqx.ts';
import { eventually } from '../system/clients/wait.ts';

/** Sessions at EMQX end this many milliseconds, at most, after their tokens did. */
const endsWithin = 2_000;

let emqx: EmqxStandIn;
/** The version tokens must have, of the users who may log in. */
let versions: Map<string, number>;
let asked: string[][];
/** The next so many questions about versions are not answered. */
let unanswered: number;
let revokedHandlers: RevokedHandler[];
let gapHandlers: (() => void)[];
const running: EmqxSessions[] = [];

beforeEach(async () => {
  emqx = await startEmqxStandIn();
  versions = new Map([
    ['ann', 1],
    ['bob', 1],
  ]);
  [asked, unanswered, revokedHandlers, gapHandlers] = [[], 0, [], []];
});
afterEach(async () => {
  for (const one of running.splice(0)) one.stop();
  await emqx.stop();
});

/** What an MQTT gateway runs beside its broker. */
function gateway(key = emqxKey): void {
  const authenticator = {
    onRevoked: (handler: RevokedHandler) => void revokedHandlers.push(handler),
    async tokenVersions(ids: string[]) {
      asked.push(ids);
      unanswered -= 1;
      if (unanswered >= 0) throw new Failure('UNAVAILABLE');
      return new Map([...versions].filter(([id]) => ids.includes(id)));
    },
  };
  const bus = { onGap: (handler: () => void) => void gapHandlers.push(handler) };
  running.push(new EmqxSessions({ api: new EmqxApi({ url: emqx.url, ...key }), authenticator, bus, log: silentLog }));
}

/** The user name a client gives is its own affair. */
const connected = (clientid: string, principal: string, version = versions.get(principal) ?? 1) =>
  emqx.sessions.set(clientid, {
    clientid,
    username: 'anything',
    client_attrs: { principal, roles: 'user', version: `${version}` },
  });
function revoke(userId: string): void {
  for (const handler of revokedHandlers) handler(userId, () => true);
}
const left = () => [...emqx.sessions.keys()];
const leaves = (ids: string[], ms = endsWithin) =>
  eventually(
    async () => left(),
    (now) => JSON.stringify(now) === JSON.stringify(ids),
    ms,
  );
const looks = () => emqx.asked.filter((line) => line.startsWith('GET')).length;
/** The look with which it begins is over. */
const began = () =>
  eventually(
    async () => asked.length,
    (count) => count > 0,
    5_000,
  );

test('the sessions of a user who logged out end, also those with strange client ids, and nobody else’s', async () => {
  for (const id of ['a1', '..', 'a/1?x=%2F', 'ä"']) connected(id, 'ann');
  connected('b1', 'bob');
  emqx.sessions.set('nobody', { clientid: 'nobody', username: '', client_attrs: {} });
  gateway();
  await began();
  versions.set('ann', 2);
  revoke('ann');
  expect(await leaves(['b1', 'nobody'])).toEqual(['b1', 'nobody']);
});

test('the sessions of a user who is gone or may not log in end', async () => {
  connected('a1', 'ann');
  gateway();
  await began();
  versions.delete('ann');
  revoke('ann');
  await leaves([]);
});

test('a session with a token of after the change stays', async () => {
  connected('old', 'ann');
  gateway();
  await began();
  versions.set('ann', 2);
  connected('new', 'ann');
  revoke('ann');
  await leaves(['new']);
});

test('a login that EMQX was told to let in just before the token ended is found a second later', async () => {
  connected('b1', 'bob');
  gateway();
  await began();
  const before = looks();
  versions.set('ann', 2);
  revoke('ann');
  await eventually(
    async () => looks(),
    (count) => count > before,
    endsWithin,
  );
  connected('late', 'ann', 1);
  await leaves(['b1']);
});

test('all of them are looked at, page by page, and users 200 at a time', async () => {
  for (let n = 0; n < 2_500; n += 1) {
    versions.set(`u${n % 500}`, 1);
    connected(`c${n}`, `u${n % 500}`);
  }
  versions.set('u7', 2);
  gateway();
  await eventually(
    async () => emqx.sessions.size,
    (size) => size === 2_495,
    5_000,
  );
  expect(looks()).toBe(3);
  expect(asked.map(({ length }) => length)).toEqual([200, 200, 100]);
});

test('EMQX and users are asked again where they fail, and nobody ends meanwhile', async () => {
  connected('a1', 'ann');
  connected('b1', 'bob');
  versions.set('ann', 2);
  emqx.failures.push(500, 503);
  unanswered = 1;
  gateway();
  await leaves(['b1'], 10_000);
  expect(asked).toHaveLength(2);
});

test('a wrong key ends nobody and is asked with no more than now and then', async () => {
  connected('a1', 'ann', 0);
  gateway({ ...emqxKey, secret: 'wrong' });
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  expect(left()).toEqual(['a1']);
  expect(emqx.asked.length).toBeLessThan(6);
});

test('what no notice told is found after a gap of the gateway’s own link', async () => {
  connected('a1', 'ann');
  gateway();
  await began();
  versions.set('ann', 2);
  for (const handler of gapHandlers) handler();
  await leaves([]);
});

test('many notices at once make few looks', async () => {
  connected('a1', 'ann');
  gateway();
  await began();
  const before = looks();
  for (let n = 0; n < 100; n += 1) revoke(`u${n}`);
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  expect(looks() - before).toBeLessThanOrEqual(4);
});
