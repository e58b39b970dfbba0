import { describeTrack } from './rtsp.sdp.ts';
import type { Stream } from './stream.ts';

export interface Description {
  type: string;
  id: string;
}

export interface Publisher {
  readonly description: Description;
  close(reason: string): void;
}

export interface Reader {
  readonly description: Description;
  /** Counted and closed, but not listed. */
  readonly hidden?: boolean;
  close(reason: string): void;
}

/** What a path refuses. `missing`: there is no stream and none can be called for (RTSP and HLS answer 404). */
export class PathError extends Error {
  readonly missing: boolean;

  constructor(message: string, missing = false) {
    super(message);
    this.missing = missing;
  }
}

interface PathState {
  name: string;
  confName: string;
  stream: Stream | undefined;
  /** When the stream began. */
  since: string | null;
  source: Description | null;
  readers: Description[];
}

/** A source that has brought nothing yet is online since the year 1, as the real server tells it. */
const longAgo = '0001-01-01T00:00:00Z';

/** A path as the control API lists it, deprecated names included. */
export function pathItem({ name, confName, stream, since, source, readers }: PathState): Record<string, unknown> {
  const available = stream !== undefined;
  const tracks2 = stream?.tracks.map(describeTrack) ?? [];
  const [received, sent] = [stream?.inboundBytes ?? 0, stream?.outboundBytes ?? 0];
  return {
    name,
    confName,
    ready: available,
    readyTime: since,
    available,
    availableTime: since,
    online: source !== null,
    onlineTime: source ? (since ?? longAgo) : null,
    source,
    tracks: tracks2.map(({ codec }) => codec),
    tracks2,
    readers: readers.sort((a, b) => (a.type + a.id < b.type + b.id ? -1 : 1)),
    inboundBytes: received,
    outboundBytes: sent,
    inboundFramesInError: 0,
    bytesReceived: received,
    bytesSent: sent,
  };
}
