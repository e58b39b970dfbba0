import type { credentialsContract } from '../../shared/contracts/credentials.contract.ts';
import { Failure } from '../../shared/contracts/index.ts';
import type { Handlers } from '../../shared/runtime/implement.ts';
import type { Collection } from '../../shared/store/collection.ts';
import type { Credentials } from './credentials.store.ts';

const job = { name: 'SyncCloudCamerasJob', crontab: '0 * * * *' };
const batch = 100;
const byId = [{ key: 'id', order: 'asc' }] as const;

/** The one job of NestMTX's that its clients start by hand. */
export function cronjobs(
  credentials: Collection<Credentials>,
  sync: (id: string) => Promise<unknown>,
): Handlers<typeof credentialsContract>['cronjobs'] {
  async function* authorised() {
    for (let after = ''; ; ) {
      const some = await credentials.find({ id: { $gt: after } }, { limit: batch, sort: byId });
      yield* some.filter(({ sealedTokens }) => sealedTokens !== null);
      if (some.length < batch) return;
      after = some.at(-1)?.id as string;
    }
  }

  return {
    async list({ payload: { search, page, itemsPerPage } }) {
      const found = job.name.toLowerCase().includes((search ?? '').toLowerCase()) ? [job] : [];
      return { items: page === 1 ? found : [], total: found.length, page, itemsPerPage };
    },
    async update({ entity }) {
      if (entity !== job.name) throw new Failure('NOT_FOUND', 'There is no such job');
      const failures: unknown[] = [];
      for await (const { id } of authorised()) await sync(id).catch((error) => failures.push(error));
      if (failures.length > 0) throw failures[0];
      return {};
    },
  };
}
