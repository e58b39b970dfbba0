import type { LivePath } from './media/index.ts';
import { type CameraStream, type Feed, feedsOf } from './streams.store.ts';

/** Of one media server, by name. */
export type LivePaths = ReadonlyMap<string, LivePath>;
type Patch = Partial<CameraStream>;

/** What a record lacks of what hooks should have told of its feeds and of its viewer path. `now` is ISO. */
export function untold(stream: CameraStream, paths: LivePaths, now: string): Patch {
  const feeds = untoldFeeds(stream, paths, now);
  return { ...feeds, ...untoldState({ ...stream, ...feeds }, paths) };
}

/** Whether the camera delivers. */
function untoldFeeds(stream: CameraStream, paths: LivePaths, now: string): Patch {
  const told = (feed: Feed | null): Feed | null => {
    const ready = feed !== null && paths.get(feed.name)?.available === true;
    return feed && feed.ready !== ready ? { ...feed, ready, lostAt: ready ? null : now } : feed;
  };
  const [feed, next] = [told(stream.feed), told(stream.next)];
  if (feed === stream.feed && next === stream.next) return {};
  return { feed, next, ...(feed?.ready && !stream.feed?.ready && { failures: 0, retryAt: null }) };
}

/** Whether viewers get what it delivers. Who publishes by now but was not reported is nobody's to name. */
function untoldState(stream: CameraStream, paths: LivePaths): Patch {
  const { state, feed, publisher, path } = stream;
  const live = paths.get(path);
  const isLive = live?.available === true && feedsOf(stream).some(({ ready }) => ready);
  const publishes = feed !== null && publisher !== null && live?.source?.id === publisher;
  const gone = publisher !== null && !publishes ? { publisher: null } : {};
  if (isLive) return { ...gone, ...(state !== 'ready' && { state: 'ready', problem: null }) };
  return { ...gone, ...(state === 'ready' && !publishes && { state: feed ? 'starting' : 'idle' }) };
}
