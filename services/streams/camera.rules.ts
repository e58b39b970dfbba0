import { takenProblem } from './media/index.ts';
import type { CameraStream, Feed, FeedKind } from './streams.store.ts';

/** What the owner of a camera does next. `until`: milliseconds since the epoch of the next look, null for none. */
export type Step =
  | { do: 'remove' }
  | { do: 'place' }
  | { do: 'start' }
  | { do: 'extend' }
  | { do: 'replace' }
  | { do: 'promote' }
  | { do: 'abandon' }
  | { do: 'restart' }
  | { do: 'doubt' }
  | { do: 'stop' }
  | { do: 'rest'; until: number | null };

export interface Circumstances {
  /** Milliseconds since the epoch. */
  now: number;
  /** Whether the server it is on lives. */
  serverLives: boolean;
}

/** Milliseconds a session may take to deliver before another one is tried. */
export const startBoundMs = 15_000;
/** Milliseconds a session may be interrupted; the media server itself tries again after 5 s. */
const lostBoundMs = 2_000;
/** Failed extensions after which another session takes over. */
export const maxFailedExtensions = 3;
/** Part of a session's life before its end at which one that cannot be extended is replaced. */
const overlapShare = 0.15;

/** Why a camera failed of which nobody else says why. */
export const noPicture = 'The camera gives no picture';

/** Whether somebody else's path has the camera's name on its server: nobody can watch it there. */
export const isTaken = ({ path, problem }: Pick<CameraStream, 'path' | 'problem'>): boolean =>
  problem === takenProblem(path);

const isNeeded = (stream: CameraStream): boolean => (stream.persistent || stream.demanded) && !isTaken(stream);

/** The order matters: what is gone is taken away first, then comes the place, then the session. */
export function decide(stream: CameraStream, { now, serverLives }: Circumstances): Step {
  if (!stream.wanted) return { do: 'remove' };
  if (!stream.server || !serverLives) return { do: 'place' };
  if (!isNeeded(stream)) {
    // What failed without a feed is told of only while somebody waits for it, but for what keeps everybody from it.
    const isOver = stream.state === 'idle' || isTaken(stream);
    return stream.feed || stream.next || !isOver ? { do: 'stop' } : { do: 'rest', until: null };
  }
  if (!stream.feed) return unlessLater(stream.retryAt, now, { do: 'start' });
  if (stream.next) return decideNext(stream.next, now);
  return decideFeed(stream, stream.feed, now);
}

function decideNext(next: Feed, now: number): Step {
  if (next.ready) return { do: 'promote' };
  const bound = Date.parse(next.startedAt) + startBoundMs;
  return now >= bound ? { do: 'abandon' } : { do: 'rest', until: bound };
}

function decideFeed(stream: CameraStream, feed: Feed, now: number): Step {
  // A plain RTSP source has no session to renew: the media server itself tries it again.
  if (feed.kind === 'rtsp') return decidePlain(stream, feed, now);
  const lost = lostSince(feed);
  const bound = lost === null ? null : lost + (feed.lostAt ? lostBoundMs : startBoundMs);
  if (bound !== null && now >= bound) return unlessLater(stream.retryAt, now, { do: 'restart' });
  if (!feed.expiresAt) return { do: 'rest', until: bound };
  const replaceAt = replacementTime(feed);
  if (now >= replaceAt) return unlessLater(stream.retryAt, now, { do: 'replace' });
  const extendAt = feed.isExtendable && feed.extendAt ? Date.parse(feed.extendAt) : Number.POSITIVE_INFINITY;
  if (now >= extendAt) return { do: 'extend' };
  return { do: 'rest', until: Math.min(replaceAt, extendAt, bound ?? Number.POSITIVE_INFINITY) };
}

function decidePlain(stream: CameraStream, feed: Feed, now: number): Step {
  const isTold = stream.state === 'failed' && stream.problem === noPicture;
  // Who publishes on the viewer path is the feed, whether its own report came or not.
  if (feed.ready || stream.publisher !== null || isTold) return { do: 'rest', until: null };
  const bound = (lostSince(feed) ?? now) + startBoundMs;
  return now >= bound ? { do: 'doubt' } : { do: 'rest', until: bound };
}

const lostSince = (feed: Feed): number | null => (feed.ready ? null : Date.parse(feed.lostAt ?? feed.startedAt));

/** When another session has to begin, so that it delivers before this one ends. */
function replacementTime(feed: Feed): number {
  if (feed.failedExtensions >= maxFailedExtensions) return Number.NEGATIVE_INFINITY;
  const end = Date.parse(feed.expiresAt as string);
  // What can be extended is replaced only where that did not work until its end.
  const life = end - Date.parse(feed.grantedAt);
  return end - life * (feed.isExtendable ? overlapShare / 3 : overlapShare);
}

function unlessLater(at: string | null, now: number, step: Step): Step {
  return isLater(at, now) ? { do: 'rest', until: Date.parse(at) } : step;
}

const isLater = (at: string | null, now: number): at is string => at !== null && Date.parse(at) > now;

/** What viewers see while there is no live picture. */
export type Placeholder = 'off' | 'connecting';

/** Milliseconds a viewer waits before a picture says that the camera is being asked. */
export const connectingAfterMs = 5_000;

/** The picture to show now; null where the camera gives one, or where nobody needs any. */
export function placeholderOf(stream: CameraStream, now: number): Placeholder | null {
  const isWaitedFor = stream.wanted && stream.server !== null && isNeeded(stream);
  if (!isWaitedFor || stream.feed?.ready || stream.next?.ready) return null;
  if (stream.state === 'failed' || (!stream.feed && isLater(stream.retryAt, now))) return 'off';
  const since = waitingSince(stream);
  return since !== null && now - since >= connectingAfterMs ? 'connecting' : null;
}

/** When the picture has to be looked at again though nothing happens; null for never. */
export function placeholderDue(stream: CameraStream, now: number): number | null {
  const since = waitingSince(stream);
  return since !== null && now < since + connectingAfterMs ? since + connectingAfterMs : null;
}

/**
 * Since when viewers see nothing: the camera's picture was lost, or they came. A session that begins meanwhile, after an
 * answer of Google or instead of another one, is no new beginning for them. Null where the camera delivers.
 */
function waitingSince({ feed, demandedAt }: CameraStream): number | null {
  if (feed?.ready) return null;
  const since = feed?.lostAt ?? demandedAt ?? feed?.startedAt;
  return since ? Date.parse(since) : null;
}

/**
 * When a session that ends at `expiresAt` is extended: after two thirds of what is left, spread so that cameras which
 * began together do not ask together. `random` is 0 to 1.
 */
export function extensionTime(now: number, expiresAt: string, random: number): string {
  const left = Math.max(Date.parse(expiresAt) - now, 0);
  return new Date(now + left * (0.62 + 0.1 * random)).toISOString();
}

/** What a feed notes when Google says how long its session lasts; null: it has no end, or nobody knows it yet. */
export function granted(now: number, expiresAt: string | null, random: number) {
  return {
    grantedAt: new Date(now).toISOString(),
    expiresAt,
    extendAt: expiresAt && extensionTime(now, expiresAt, random),
    failedExtensions: 0,
  };
}

/** On another server: the same session, but for WebRTC, which begins with the server's offer. `now` is ISO. */
export const moved = (feed: Feed, now: string): Feed => ({
  ...feed,
  ready: false,
  lostAt: null,
  startedAt: now,
  ...(feed.kind === 'google-webrtc' && { sealed: null, expiresAt: null, extendAt: null }),
});

/** What a camera notes when nobody needs it. Who comes next waits out the pause after a start that failed. */
export function stopped(stream: Pick<CameraStream, 'feed' | 'failures' | 'retryAt' | 'path' | 'problem'>) {
  const { feed, failures, retryAt, problem } = stream;
  const pause = feed ? { failures: 0, retryAt: null } : { failures, retryAt };
  const told = isTaken(stream) ? { state: 'failed' as const, problem } : { state: 'idle' as const, problem: null };
  return { feed: null, next: null, publisher: null, ...told, ...pause };
}

/** What a camera notes when a start failed: when the next may be tried, and what viewers are told. */
export function failedStart(
  { failures: before }: Pick<CameraStream, 'failures'>,
  why: { message: string; retryAfterMs?: number },
  now: number,
  random: number,
) {
  const failures = before + 1;
  const pause = Math.max(startPause(failures, random), why.retryAfterMs ?? 0);
  return { failures, retryAt: new Date(now + pause).toISOString(), problem: why.message.slice(0, 300) };
}

/** After the n-th failed extension (from 1): a third of what is left, so that three fit before the end. */
export function extensionRetry(now: number, expiresAt: string, retryAfterMs: number, random: number): string {
  const left = Math.max(Date.parse(expiresAt) - now, 0);
  return new Date(now + Math.max(retryAfterMs, left * (0.2 + 0.05 * random))).toISOString();
}

/** Pause after the n-th failed start (from 1), in milliseconds: quick once, then as the hourly quota allows. */
export function startPause(failures: number, random: number): number {
  const steps = [1_000, 5_000, 15_000, 60_000, 120_000, 300_000];
  const pause = steps[Math.min(failures, steps.length) - 1] ?? 300_000;
  return pause * (0.9 + 0.2 * random);
}

/** NestMTX's choice: WebRTC where the device offers it. A device that names no protocol speaks RTSP (Google's oldest). */
export function feedKind({ credentialId, protocols }: Pick<CameraStream, 'credentialId' | 'protocols'>): FeedKind {
  if (credentialId === null) return 'rtsp';
  return protocols.includes('WEB_RTC') ? 'google-webrtc' : 'google-rtsp';
}
