import { createHash, randomUUID } from 'node:crypto';
import { credentialsContract } from '../../shared/contracts/credentials.contract.ts';
import { Failure } from '../../shared/contracts/index.ts';
import { implement } from '../../shared/runtime/implement.ts';
import { change, found, given } from '../../shared/store/change.ts';
import type { StartService } from '../deps.ts';
import { type Credentials, credentialsStore } from './credentials.store.ts';

const checksumOf = (clientId: string) => createHash('sha256').update(clientId).digest('hex');
const render = (record: Credentials) => ({
  ...record,
  tokens: record.sealedTokens === null ? null : ('stored' as const),
});

export const startCredentials: StartService = async (deps) => {
  const credentials = await credentialsStore(deps.stores);
  const sealer = (id: string) => (key: keyof Credentials, text: string) =>
    deps.vault.seal(text, `credentials/${id}/${key}`);

  const handlers: Parameters<typeof implement<typeof credentialsContract>>[1] = {
    credentials: {
      async list({ payload }) {
        const page = await credentials.list(payload);
        return { ...page, items: page.items.map(render) };
      },
      async create({ payload }) {
        const id = randomUUID();
        const seal = sealer(id);
        const record = await credentials.insert({
          id,
          description: payload.description,
          checksum: checksumOf(payload.oauth_client_id),
          sealedClientId: seal('sealedClientId', payload.oauth_client_id),
          sealedClientSecret: seal('sealedClientSecret', payload.oauth_client_secret),
          sealedProjectId: payload.dac_project_id && seal('sealedProjectId', payload.dac_project_id),
          sealedTokens: null,
        });
        return render(record);
      },
      read: async ({ entity }) => render(found(await credentials.get(entity))),
      async update({ entity, payload }) {
        if (payload.origin !== undefined) {
          found(await credentials.get(entity));
          throw new Failure('UNAVAILABLE', 'This Trigate is not connected to Google Device Access');
        }
        const seal = sealer(entity);
        const { description, oauth_client_id: clientId, oauth_client_secret: clientSecret } = payload;
        const project = payload.dac_project_id;
        const patch = given({
          description,
          checksum: clientId && checksumOf(clientId),
          sealedClientId: clientId && seal('sealedClientId', clientId),
          sealedClientSecret: clientSecret && seal('sealedClientSecret', clientSecret),
          sealedProjectId: project && seal('sealedProjectId', project),
          ...(project === null && { sealedProjectId: null }),
          // Tokens belong to the OAuth client they were given to.
          ...(clientId && { sealedTokens: null }),
        });
        return render(await change(credentials, entity, () => patch));
      },
      async delete({ entity, call }) {
        found(await credentials.get(entity));
        await call('cameras.disown', { entity });
        found(await credentials.delete(entity));
        return undefined;
      },
    },
  };
  return { schemas: implement(credentialsContract, handlers, deps.log) };
};
