import { createHash } from 'node:crypto';
import type { Call } from '../../shared/contracts/index.ts';
import { Failure } from '../../shared/contracts/index.ts';
import type { Bus } from '../../shared/fanout/bus.ts';
import type { Log } from '../../shared/runtime/log.ts';
import type { Collection } from '../../shared/store/collection.ts';
import type { Credentials } from './credentials.store.ts';
import { nextSync, retryAt } from './due.rules.ts';
import type { Refusal } from './google/refusals.rules.ts';
import type { Listed, SdmClient } from './google/sdm.ts';
import type { Grants } from './grants.ts';

export interface SyncDeps {
  credentials: Collection<Credentials>;
  grants: Grants;
  sdm: SdmClient;
  bus: Pick<Bus, 'claim'>;
  call: Call;
  log: Log;
}

export interface SyncResult {
  devices: number;
  created: number;
  updated: number;
  vanished: number;
}

/** Devices a call to the cameras service carries. */
const batch = 100;
const relistMs = 600_000;

/** Brings the cameras to what Google shares. */
export function deviceSync({ credentials, grants, sdm, bus, call, log }: SyncDeps) {
  async function listed(id: string): Promise<Listed | Refusal> {
    const access = await grants.access(id);
    if (!access.ok) return access;
    const first = await sdm.list(access.project, access.token);
    if (first.ok || first.status !== 401) return first;
    const renewed = await grants.renew(id, access.token);
    return renewed.ok ? sdm.list(renewed.project, renewed.token) : renewed;
  }

  async function handOver(entity: string, { devices, names }: Listed): Promise<SyncResult> {
    const shared = names?.map((name) => createHash('sha256').update(name).digest('hex')) ?? null;
    const total = { devices: devices.length, created: 0, updated: 0, vanished: 0 };
    for (let from = 0; from === 0 || from < devices.length; from += batch) {
      const last = from + batch >= devices.length;
      const payload = { devices: devices.slice(from, from + batch), shared: last ? shared : null };
      const { created, updated, vanished } = await call('cameras.sync', { entity, payload });
      total.created += created;
      total.updated += updated;
      total.vanished += vanished;
    }
    return total;
  }

  /** Credentials may be deleted, and their cameras with them, while Google or the cameras service is asked. */
  async function disownOfDeleted(entity: string): Promise<void> {
    if (await credentials.get(entity)) return;
    await call('cameras.disown', { entity });
    throw new Failure('NOT_FOUND');
  }

  /**
   * When the next list is due. Lost where the record was changed or deleted meanwhile: then it is due again.
   * @param dueAt when it was due before this one: after a success, what was asked for since stays
   */
  async function schedule(id: string, dueAt: Credentials['syncAt'], failed: boolean): Promise<void> {
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const record = await credentials.get(id);
      if (!record?.sealedTokens || (!failed && record.syncAt !== dueAt)) return;
      const failures = failed ? (record.syncFailures ?? 0) + 1 : 0;
      const chance = Math.random();
      const syncAt = failed ? retryAt(Date.now(), failures + 1, chance) : nextSync(Date.now(), chance);
      if (await credentials.update(id, record.version, { syncAt, syncFailures: failures })) return;
    }
  }

  /** A device was added, changed or taken away. */
  async function soon(id: string): Promise<void> {
    const record = await credentials.get(id);
    if (!record?.sealedTokens) return;
    // Where that is lost to another change, the hourly list finds it.
    await credentials.update(id, record.version, { syncAt: new Date().toISOString() });
  }

  return {
    /** Of all credentials whose events come by a subscription. */
    async soonOf(pubsubSubscription: string): Promise<void> {
      for (const { id } of await credentials.find({ pubsubSubscription }, { limit: batch })) await soon(id);
    },
    /** As `soon`, at most every ten minutes: what made it necessary may be so again and again. */
    async relist(id: string): Promise<void> {
      if (await bus.claim(`google relist ${id}`, relistMs)) await soon(id);
    },
    /** @throws Failure NOT_FOUND; CONFLICT where nobody authorised; UNAVAILABLE where Google does not answer */
    async run(id: string): Promise<SyncResult> {
      const dueAt = (await credentials.get(id))?.syncAt;
      const list = await listed(id);
      if (!list.ok) {
        await schedule(id, dueAt, true);
        throw failureOf(list);
      }
      if (list.malformed > 0) log.warn({ credentials: id, entries: list.malformed }, 'Google listed what is no device');
      const handed = handOver(id, list).catch(async (error: unknown) => {
        await schedule(id, dueAt, true);
        throw error;
      });
      const result = await handed.finally(() => disownOfDeleted(id));
      await schedule(id, dueAt, false);
      log.info({ credentials: id, ...result }, 'devices were listed');
      return result;
    },
  };
}

export type DeviceSync = ReturnType<typeof deviceSync>;

function failureOf({ reason, message, retryAfterMs }: Refusal): Failure {
  const retryAfter = Math.max(1, Math.ceil((retryAfterMs ?? 10_000) / 1_000));
  if (reason === 'unauthorized') return new Failure('CONFLICT', message);
  if (reason === 'gone') return new Failure('CONFLICT', `Google does not know the project: ${message}`);
  return new Failure('UNAVAILABLE', message, { retryAfter });
}
