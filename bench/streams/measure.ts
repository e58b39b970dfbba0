import { setTimeout as delay } from 'node:timers/promises';
import { type MediaServer, startMediaServer } from '../../test/servers/media-server.ts';
import { cameraEnv, logIn, type Owner } from '../../test/system/cameras.ts';
import { startOneProcess } from '../../test/system/one-process.ts';

export interface StreamsSample {
  cameras: number;
  /** Seconds from the first camera's creation until the media server has a path of each. */
  filledIn: number;
  /** Calls of the control API per change of a camera, by what is changed. */
  perChange: Record<Change, number>;
  /** Of all changes. */
  perChangeMean: number;
  /** Calls per second while nothing changes. */
  atRest: number;
  /** Seconds from the media server's restart until it has every path again. */
  restoredIn: number;
}

export const changes = ['create', 'rename', 'disable', 'enable', 'delete'] as const;
export type Change = (typeof changes)[number];

/** Asked without end to see whether the server lives and has its paths; what changes comes on top. */
const watching = new Set(['GET info', 'GET config/paths/get', 'GET paths/list']);
const restMs = 10_000;
/** Without a call for so long, a change is over: a path that takes another's place comes after a second. */
const quietMs = 1_500;
const concurrency = 16;
/** Nobody watches: nothing is ever read from there. */
const source = 'rtsp://127.0.0.1:9/none';

/** A Trigate in one process with so many cameras on one stand-in for MediaMTX, which counts. */
export async function measureStreams(cameras: number, rounds: number): Promise<StreamsSample> {
  const server = await startMediaServer();
  const system = await startOneProcess(cameraEnv(server.apiUrl));
  const owner = await logIn(system);
  try {
    const filledIn = await seconds(async () => {
      await addCameras(owner, cameras);
      await hasPaths(server, cameras);
    });
    const perChange = await countChanges(server, owner, rounds);
    const before = await total(server, () => true);
    await delay(restMs);
    const atRest = ((await total(server, () => true)) - before) / (restMs / 1_000);
    await server.restart();
    const restoredIn = await seconds(() => hasPaths(server, cameras));
    const sum = Object.values(perChange).reduce((all, one) => all + one, 0);
    return { cameras, filledIn, perChange, perChangeMean: sum / changes.length, atRest, restoredIn };
  } finally {
    await owner.close();
    await system.stop();
    await server.stop();
  }
}

async function seconds(work: () => Promise<void>): Promise<number> {
  const begun = performance.now();
  await work();
  return (performance.now() - begun) / 1_000;
}

async function addCameras(owner: Owner, cameras: number): Promise<void> {
  const numbers = Array.from({ length: cameras }, (_, n) => n).values();
  const worker = async () => {
    for (const n of numbers) await create(owner, `camera-${n}`);
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
}

const create = (owner: Owner, path: string) =>
  owner.call('cameras.create', { payload: { name: path, mtx_path: path, source, is_enabled: true } });

async function hasPaths(server: MediaServer, cameras: number): Promise<void> {
  for (;;) {
    const answer = await fetch(`${server.apiUrl}/v3/config/paths/list?itemsPerPage=1`).catch(() => null);
    const { itemCount = 0 } = ((await answer?.json().catch(() => null)) ?? {}) as { itemCount?: number };
    if (itemCount >= cameras) return;
    await delay(50);
  }
}

/** Calls the server has had, of the routes that count. */
async function total(server: MediaServer, counts: (route: string) => boolean): Promise<number> {
  const calls = Object.entries(await server.calls());
  return calls.reduce((sum, [route, n]) => sum + (counts(route) ? n : 0), 0);
}
const changing = (server: MediaServer) => total(server, (route) => !watching.has(route));

/** Waits until no call has come for a while; resolves to their number. */
async function quiet(server: MediaServer): Promise<number> {
  let [count, since] = [await changing(server), performance.now()];
  while (performance.now() - since < quietMs) {
    await delay(50);
    const now = await changing(server);
    if (now !== count) [count, since] = [now, performance.now()];
  }
  return count;
}

async function countChanges(server: MediaServer, owner: Owner, rounds: number): Promise<Record<Change, number>> {
  const sums = { create: 0, rename: 0, disable: 0, enable: 0, delete: 0 };
  let count = await quiet(server);
  for (let round = 0; round < rounds; round += 1) {
    let id = '';
    const update = (payload: object) => owner.call('cameras.update', { entity: id, payload });
    const make: Record<Change, () => Promise<unknown>> = {
      create: async () => {
        ({ id } = await create(owner, `changing-${round}`));
      },
      rename: () => update({ mtx_path: `changed-${round}` }),
      disable: () => update({ is_enabled: false }),
      enable: () => update({ is_enabled: true }),
      delete: () => owner.call('cameras.delete', { entity: id }),
    };
    for (const change of changes) {
      await make[change]();
      const after = await quiet(server);
      sums[change] += after - count;
      count = after;
    }
  }
  return Object.fromEntries(changes.map((change) => [change, sums[change] / rounds])) as Record<Change, number>;
}
