import { Counter } from 'prom-client';
import type { Collection } from '../../shared/store/collection.ts';
import type { ServiceDeps } from '../deps.ts';
import { authorization } from './authorization.ts';
import { background } from './background.ts';
import { deviceCommands } from './commands.ts';
import type { Credentials } from './credentials.store.ts';
import { cameraEvents, handledStore } from './events.ts';
import { oauth } from './google/oauth.ts';
import { pubsubClient } from './google/pubsub.ts';
import { sdmClient } from './google/sdm.ts';
import { grants } from './grants.ts';
import { sealedParts } from './keys.ts';
import { pullers } from './puller.ts';
import { states } from './state.ts';
import { deviceSync } from './sync.ts';
import { usageStore } from './usage.ts';

/** All that stands between stored credentials and Google, wired. */
export async function connectGoogle(deps: ServiceDeps, credentials: Collection<Credentials>) {
  const { config, bus, emit, call, log, stores, vault, registry } = deps;
  const parts = sealedParts(vault);
  const auth = oauth(config);
  const sdm = sdmClient(config.googleSdmUrl);
  const access = grants({ credentials, parts, oauth: auth, bus, emit, log });
  const usage = await usageStore(stores, config.googleQuotaFactor);
  const handled = await handledStore(stores);
  const outcomes = new Counter({
    name: 'trigate_google_commands_total',
    help: 'Commands of Google devices, by outcome: ok, or why they were refused',
    labelNames: ['outcome'] as const,
    registers: [registry],
  });
  const sync = deviceSync({ credentials, grants: access, sdm, bus, call, log });
  const outdated = (id: string) =>
    void sync.relist(id).catch((err) => log.warn({ credentials: id, err }, 'not relisted'));
  const commands = deviceCommands({ grants: access, sdm, usage, outcomes, outdated });
  const events = cameraEvents({ handled, commands, sync, call, emit, log, sdmUrl: config.googleSdmUrl });
  const pubsub = pubsubClient(config.googlePubsubUrl);
  const pulling = pullers({ credentials, grants: access, pubsub, events, log });
  const working = background({ credentials, grants: access, sync, handled, bus, log });
  return {
    parts,
    authorization: authorization({ credentials, parts, oauth: auth, state: states(vault, bus), emit }),
    sync,
    commands,
    usage,
    async stop() {
      await Promise.all([pulling.stop(), working.stop()]);
    },
  };
}
