import type { Call } from '../../shared/contracts/index.ts';
import type { Principal } from '../../shared/runtime/principal.ts';

/** Users or keys asked about in one call: the contract's limit. */
const perCall = 200;
const keyPrefix = 'key:';
/** A key is not revoked but deleted: it has this version for as long as it is there. */
export const keyVersion = 1;

export const viewerOfKey = (id: string): string => `${keyPrefix}${id}`;
/** Users and keys have names of their own each. */
export const viewerOf = ({ kind, id }: Pick<Principal, 'kind' | 'id'>): string =>
  kind === 'key' ? viewerOfKey(id) : id;

/** Those of users and those of keys, of which other services know; a kind that is not there is left out. */
export const byKind = <T extends { viewer: string }>(all: readonly T[]): T[][] =>
  Object.values(Object.groupBy(all, ({ viewer }) => kindOf(viewer)));

/**
 * The version the tokens of each of these viewers must have; none for users who may not log in and keys that are gone.
 * @throws Failure UNAVAILABLE
 */
export async function tokenVersions(call: Call, viewers: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const versions = new Map<string, number>();
  const { keys = [], users = [] } = Object.groupBy(viewers, kindOf);
  for (const ids of batches(users)) {
    const there = await call('users.versions', { payload: { ids } });
    for (const { id, tokenVersion } of there.users) versions.set(id, tokenVersion);
  }
  for (const ids of batches(keys.map((one) => one.slice(keyPrefix.length)))) {
    const there = await call('api-keys.known', { payload: { ids } });
    for (const id of there.ids) versions.set(viewerOfKey(id), keyVersion);
  }
  return versions;
}

const kindOf = (viewer: string): 'keys' | 'users' => (viewer.startsWith(keyPrefix) ? 'keys' : 'users');

function* batches(ids: readonly string[]): Generator<string[]> {
  for (let at = 0; at < ids.length; at += perCall) yield ids.slice(at, at + perCall);
}
