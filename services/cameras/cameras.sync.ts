import { createHash, randomUUID } from 'node:crypto';
import type { z } from 'zod';
import type { GoogleDevice, synced } from '../../shared/contracts/cameras.contract.ts';
import type { Vault } from '../../shared/runtime/vault.ts';
import type { Collection, Patch } from '../../shared/store/collection.ts';
import { Duplicate } from '../../shared/store/collection.ts';
import type { Camera } from './cameras.store.ts';
import { type CameraViews, deviceKeys } from './cameras.views.ts';
import { nameOf, roomOf } from './device.rules.ts';

type Synced = z.output<typeof synced>;
type Told = (event: 'created' | 'updated', camera: Camera) => Promise<void>;

export interface SyncDeps {
  cameras: Collection<Camera>;
  vault: Vault;
  view: CameraViews;
  told: Told;
}

const batch = 100;
const attempts = 5;
export const checksumOf = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Cameras as Google's list of devices says; run twice with the same list, the second time changes nothing. */
export function cameraSync({ cameras, vault, view, told }: SyncDeps) {
  /** @returns whether it is there now; another process may have made it meanwhile */
  async function create(credentialId: string, device: GoogleDevice): Promise<boolean> {
    const id = randomUUID();
    const [name, room] = [nameOf(device), roomOf(device)];
    const switches = { mtx_path: null, is_enabled: false, is_persistent: false };
    const keys = { ...deviceKeys(device, id, vault), source: null, sealedSource: null, vanishedAt: null };
    try {
      const fresh = { id, credentialId, checksum: checksumOf(device.name), name, room, ...keys, ...switches };
      await told('created', await cameras.insert(fresh));
      return true;
    } catch (error) {
      if (error instanceof Duplicate) return false;
      throw error;
    }
  }

  /** What Google changed since the last list; a name that was given here stays until Google's own changes. */
  function changes(camera: Camera, credentialId: string, device: GoogleDevice): Patch<Camera> {
    const before = view.device(camera);
    if (before && camera.credentialId === credentialId && !camera.vanishedAt && same(before, device)) return {};
    const renamed = !before || nameOf(before) !== nameOf(device);
    const moved = !before || roomOf(before) !== roomOf(device);
    return {
      credentialId,
      vanishedAt: null,
      ...deviceKeys(device, camera.id, vault),
      ...(renamed && { name: nameOf(device) }),
      ...(moved && { room: roomOf(device) }),
    };
  }

  /** A device that several credentials share stays with the first, until it vanishes there. */
  const isForeign = (camera: Camera, credentialId: string) =>
    camera.credentialId !== credentialId && !camera.vanishedAt;

  async function upsert(credentialId: string, device: GoogleDevice): Promise<'created' | 'updated' | 'same'> {
    // Who loses that many races leaves the device to the winner, or to the next list.
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      const [camera] = await cameras.find({ checksum: checksumOf(device.name) }, { limit: 1 });
      if (!camera) {
        if (await create(credentialId, device)) return 'created';
        continue;
      }
      if (isForeign(camera, credentialId)) return 'same';
      const patch = changes(camera, credentialId, device);
      if (Object.keys(patch).length === 0) return 'same';
      const updated = await cameras.update(camera.id, camera.version, patch);
      if (!updated) continue;
      await told('updated', updated);
      return 'updated';
    }
    return 'same';
  }

  async function vanish(credentialId: string, shared: ReadonlySet<string>): Promise<number> {
    let vanished = 0;
    let after = '';
    for (;;) {
      const some = await cameras.find({ credentialId, id: { $gt: after } }, { limit: batch, sort: byId });
      for (const camera of some) {
        after = camera.id;
        if (camera.vanishedAt || shared.has(camera.checksum)) continue;
        const marked = await cameras.update(camera.id, camera.version, { vanishedAt: new Date().toISOString() });
        if (!marked) continue;
        vanished += 1;
        await told('updated', marked);
      }
      if (some.length < batch) return vanished;
    }
  }

  return async (
    credentialId: string,
    devices: readonly GoogleDevice[],
    shared: readonly string[] | null,
  ): Promise<Synced> => {
    const count = { created: 0, updated: 0, same: 0 };
    for (const device of devices) count[await upsert(credentialId, device)] += 1;
    const vanished = shared ? await vanish(credentialId, new Set(shared)) : 0;
    return { created: count.created, updated: count.updated, vanished };
  };
}

const byId = [{ key: 'id', order: 'asc' }] as const;

const same = (a: unknown, b: unknown): boolean => JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}
