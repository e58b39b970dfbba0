import type { z } from 'zod';
import type { ResultOf } from '../../shared/contracts/kernel.ts';
import type { streamStatus, streamsContract } from '../../shared/contracts/streams.contract.ts';
import { type Fleet, type LivePath, type MediaServer, recordUrls } from './media/index.ts';
import type { CameraStream } from './streams.store.ts';

type Shown = ResultOf<(typeof streamsContract)['modules']['streams']['actions']['read']>;
type Status = z.output<typeof streamStatus>;
/** What media servers say of their paths, by server and path. */
type Live = (server: string | null, path: string) => LivePath | undefined;

/** Asks each server once; one that does not answer tells nothing. */
export async function liveOf(fleet: Fleet, streams: readonly CameraStream[]): Promise<Live> {
  const ids = new Set(streams.map(({ server }) => server));
  const servers = fleet.servers.filter(({ id, alive }) => alive && ids.has(id));
  const asked = servers.map(async (one) => [one.id, await one.paths().catch(() => undefined)] as const);
  const known = new Map(await Promise.all(asked));
  return (server, path) => (server === null ? undefined : known.get(server)?.get(path));
}

export const toStream = (stream: CameraStream, live: Live): Shown => ({
  id: stream.id,
  camera: stream.id,
  state: stream.state,
  problem: stream.problem,
  readers: live(stream.server, stream.path)?.readers.length ?? 0,
  server: stream.server,
});

export function toStatus(stream: CameraStream, live: Live, server: MediaServer | undefined): Status {
  const path = live(stream.server, stream.path);
  return {
    status: statusOf(stream, path, server),
    expires_at: stream.feed?.expiresAt ?? null,
    stream_ready: path?.available ?? false,
    stream_uptime: path?.since ? new Date(path.since).toISOString() : null,
    stream_track_count: path?.tracks.length ?? 0,
    stream_consumer_count: path?.readers.length ?? 0,
    stream_data_rx: path?.inboundBytes ?? 0,
    stream_data_tx: path?.outboundBytes ?? 0,
    ...recordUrls(server?.protocols ?? null, stream.path),
  };
}

function statusOf(stream: CameraStream, path: LivePath | undefined, server: MediaServer | undefined): Status['status'] {
  if (!server?.alive || !path) return 'unavailable';
  if (path.available) return 'running';
  return stream.feed ? 'starting' : 'stopped';
}
