import { createHash, randomUUID } from 'node:crypto';
import { authorizeContract, credentialsContract } from '../../shared/contracts/credentials.contract.ts';
import { Failure, type ParsedOf } from '../../shared/contracts/index.ts';
import { implement } from '../../shared/runtime/implement.ts';
import { change, found, given } from '../../shared/store/change.ts';
import type { StartService } from '../deps.ts';
import { rekeyer, textsUnder } from '../rekey.ts';
import { type Credentials, credentialsStore, noTokens, sealContext, sealedKeys } from './credentials.store.ts';
import { cronjobs } from './cronjobs.ts';
import { connectGoogle } from './google.ts';
import { redirectIn } from './state.ts';
import { priorityOf } from './usage.rules.ts';

const checksumOf = (clientId: string) => createHash('sha256').update(clientId).digest('hex');
const render = (record: Credentials) => ({
  ...record,
  tokens: record.sealedTokens === null ? null : ('stored' as const),
  pubsub_subscription: record.pubsubSubscription ?? null,
});

type Changes = ParsedOf<typeof credentialsContract.modules.credentials.actions.update>['payload'];

export const startCredentials: StartService = async (deps) => {
  const credentials = await credentialsStore(deps.stores);
  const { parts, authorization, sync, commands, usage, stop } = await connectGoogle(deps, credentials);
  const sealed = sealedKeys.map((key) => ({ key, context: (id: string) => sealContext(id, key) }));
  const rekey = rekeyer(credentials, textsUnder<Credentials>(sealed), deps.vault, deps.log);

  /** The tokens are stored; the first list of devices is what makes Google send events. */
  async function authorized(answer: { state: string; code: string; origin?: string | undefined }) {
    const record = await authorization.finish(answer);
    const listed = await sync.run(record.id).catch((err: unknown) => {
      deps.log.warn({ credentials: record.id, err }, 'devices could not be listed yet');
      return null;
    });
    return { record, listed };
  }

  function patchOf(id: string, payload: Changes) {
    const { description, oauth_client_id: clientId, oauth_client_secret: clientSecret } = payload;
    const { dac_project_id: project, pubsub_subscription: pubsubSubscription } = payload;
    return given({
      description,
      checksum: clientId && checksumOf(clientId),
      sealedClientId: clientId && parts.seal(id, 'sealedClientId', clientId),
      sealedClientSecret: clientSecret && parts.seal(id, 'sealedClientSecret', clientSecret),
      sealedProjectId: project && parts.seal(id, 'sealedProjectId', project),
      ...(project === null && { sealedProjectId: null }),
      pubsubSubscription,
    });
  }

  /** Tokens belong to the OAuth client and the project they were given for. */
  function keepsGrant(current: Credentials, payload: Changes): boolean {
    const { dac_project_id: project, oauth_client_id: clientId } = payload;
    if (project !== undefined && !parts.isProject(current, project)) return false;
    return clientId === undefined || (checksumOf(clientId) === current.checksum && parts.tokensOpen(current));
  }

  const handlers: Parameters<typeof implement<typeof credentialsContract>>[1] = {
    credentials: {
      async list({ payload }) {
        const page = await credentials.list(payload);
        return { ...page, items: page.items.map(render) };
      },
      async create({ payload }) {
        const id = randomUUID();
        const record = await credentials.insert({
          id,
          description: payload.description,
          checksum: checksumOf(payload.oauth_client_id),
          sealedClientId: parts.seal(id, 'sealedClientId', payload.oauth_client_id),
          sealedClientSecret: parts.seal(id, 'sealedClientSecret', payload.oauth_client_secret),
          sealedProjectId: payload.dac_project_id && parts.seal(id, 'sealedProjectId', payload.dac_project_id),
          pubsubSubscription: payload.pubsub_subscription,
          ...noTokens,
        });
        return render(record);
      },
      async read({ entity }) {
        const redirected = redirectIn(entity);
        if (!redirected) return render(found(await credentials.get(entity)));
        await authorized(redirected);
        return { success: true as const };
      },
      async update({ entity, payload }) {
        if (payload.origin !== undefined) return { url: await authorization.url(entity, payload.origin) };
        const patch = patchOf(entity, payload);
        let dropped = false;
        const changed = await change(credentials, entity, (current) => {
          dropped = current.sealedTokens !== null && !keepsGrant(current, payload);
          return { ...patch, ...(dropped && noTokens) };
        });
        if (dropped) {
          const error = 'The grant was for another OAuth client or project, or cannot be opened';
          await deps.emit('credentials', 'unauthenticated', entity, { description: changed.description, error });
        }
        return render(changed);
      },
      async delete({ entity, call }) {
        found(await credentials.get(entity));
        await call('cameras.disown', { entity });
        found(await credentials.delete(entity));
        await usage.forget(entity);
        // A list that was under way may have made cameras since.
        await call('cameras.disown', { entity });
        return undefined;
      },
      async sync({ entity }) {
        found(await credentials.get(entity));
        return sync.run(entity);
      },
      async command({ entity, payload }) {
        return commands(entity, payload, priorityOf(payload.command));
      },
      rekey: ({ payload: { after } }) => rekey.batch(after),
    },
    cronjobs: cronjobs(credentials, (id) => sync.run(id)),
  };
  const callback: Parameters<typeof implement<typeof authorizeContract>>[1] = {
    google: {
      async authorize({ payload: { state, code, error } }) {
        if (error !== undefined) {
          throw new Failure('INVALID_REQUEST', `Google says that access was not granted: ${error}`);
        }
        if (!state || !code)
          throw new Failure('INVALID_REQUEST', 'This is no answer of Google: state and code are missing');
        const { record, listed } = await authorized({ state, code });
        const cameras = listed
          ? `${listed.devices} devices are shared.`
          : 'The devices could not be listed yet; that is tried again.';
        return { title: 'Google granted access', text: `For ${record.description}. ${cameras}` };
      },
    },
  };
  return {
    schemas: [
      ...implement(credentialsContract, handlers, deps.log),
      ...implement(authorizeContract, callback, deps.log),
    ],
    stop,
  };
};
