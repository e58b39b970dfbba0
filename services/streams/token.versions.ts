import type { Call } from '../../shared/contracts/index.ts';

/** Users asked about in one call: the contract's limit. */
const perCall = 200;

/** The version the tokens of each of these users must have; none for who may not log in. @throws Failure UNAVAILABLE */
export async function tokenVersions(call: Call, ids: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const versions = new Map<string, number>();
  for (let at = 0; at < ids.length; at += perCall) {
    const { users } = await call('users.versions', { payload: { ids: ids.slice(at, at + perCall) } });
    for (const { id, tokenVersion } of users) versions.set(id, tokenVersion);
  }
  return versions;
}
