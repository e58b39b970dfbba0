import { setTimeout as delay } from 'node:timers/promises';
import { type ActionOf, Failure, type ResultOf } from '../../shared/contracts/index.ts';
import type { Collection } from '../../shared/store/collection.ts';
import {
  type Fleet,
  isMediaError,
  type MediaServer,
  type Protocols,
  takenProblem,
  viewerNameProblem,
} from './media/index.ts';
import type { CameraStream } from './streams.store.ts';

/** Milliseconds for which it is looked whether a camera has its place, and between the first two looks. */
const [placeMs, firstPauseMs] = [3_000, 100];
/** By how much each pause is longer than the one before: who waits long shall not ask often. */
const pauseFactor = 1.5;

export interface Placed {
  stream: CameraStream;
  server: MediaServer;
  protocols: Protocols;
}

interface PlacedDeps {
  streams: Collection<CameraStream>;
  fleet: Pick<Fleet, 'server'>;
}

type Watched = Pick<ResultOf<ActionOf<'cameras.read'>>, 'is_enabled' | 'mtx_path' | 'vanished_at'>;

/** At which a camera is watched. @throws Failure CONFLICT where it cannot be */
export function watchedPath({ is_enabled, mtx_path, vanished_at }: Watched): string {
  if (!is_enabled || mtx_path === null) throw new Failure('CONFLICT', 'The camera is not enabled');
  if (vanished_at !== null) throw new Failure('CONFLICT', 'Google no longer shares the camera');
  const problem = viewerNameProblem(mtx_path);
  if (problem !== null) throw new Failure('CONFLICT', problem);
  return mtx_path;
}

/**
 * A camera that was enabled or renamed a moment ago, or whose server restarted, has its place soon: first in the record,
 * then as a path of the server, without which its URLs would be refused.
 * @throws Failure UNAVAILABLE; CONFLICT where the path is somebody else's
 */
export async function placed({ streams, fleet }: PlacedDeps, camera: string, path: string): Promise<Placed> {
  const until = performance.now() + placeMs;
  for (let pause = firstPauseMs; ; pause *= pauseFactor) {
    const found = await streams.get(camera);
    // One that was renamed has the place of before until its stream has gone.
    const stream = found?.wanted && found.path === path ? found : null;
    const server = stream && stream.server !== null ? fleet.server(stream.server) : undefined;
    const protocols = server?.alive ? server.protocols : null;
    const whose = server && protocols ? await whosePath(server, path) : 'nobody';
    if (whose === 'foreign') throw new Failure('CONFLICT', takenProblem(path));
    if (stream && server && protocols && whose === 'ours') return { stream, server, protocols };
    // One that is dead is dead for longer than this waits.
    if (performance.now() >= until || (server && !protocols)) {
      const why = server?.problem ?? 'The camera is not on a media server yet';
      throw new Failure('UNAVAILABLE', why, { retryAfter: 1 });
    }
    await delay(pause);
  }
}

/** 'nobody' also where the server does not say. */
async function whosePath(server: MediaServer, path: string): ReturnType<MediaServer['whose']> {
  try {
    return await server.whose(path);
  } catch (error) {
    if (isMediaError(error)) return 'nobody';
    throw error;
  }
}
