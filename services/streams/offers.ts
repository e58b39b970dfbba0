import { Failure } from '../../shared/contracts/index.ts';
import { change } from '../../shared/store/change.ts';
import type { Collection } from '../../shared/store/collection.ts';
import { failedStart, granted } from './camera.rules.ts';
import type { Closings } from './closings.ts';
import type { FeedTokens } from './feed.tokens.ts';
import { readFeedName } from './media/index.ts';
import { answerForServer, offerForGoogle, SdpError } from './sdp.rules.ts';
import { Refused, type Sessions } from './sessions.ts';
import { type CameraStream, type Feed, feedsOf } from './streams.store.ts';

/** Milliseconds after a feed was begun, and answered, within which it may not ask for another session. */
const againMs = 20_000;

export interface OffersDeps {
  streams: Collection<CameraStream>;
  sessions: Sessions;
  closings: Closings;
  tokens: FeedTokens;
  wake(camera: string): void;
}

/**
 * A WebRTC camera's session begins with an offer of the media server, which pulls the feed by WHEP: the offer goes to
 * Google in Google's form, the answer back in the server's. Media then goes from Google to the media server directly.
 */
export class Offers {
  readonly #deps: OffersDeps;

  constructor(deps: OffersDeps) {
    this.#deps = deps;
  }

  /** @throws Failure UNAUTHORIZED */
  assertOfferer(feed: string, bearer: string): void {
    if (!this.#deps.tokens.isOfferer(feed, bearer)) throw new Failure('UNAUTHORIZED');
  }

  /** @throws Failure UNAUTHORIZED, NOT_FOUND, CONFLICT, RATE_LIMITED, INVALID_REQUEST */
  async answer(name: string, bearer: string, sdp: string): Promise<{ sdp: string }> {
    const { streams, sessions, closings, wake } = this.#deps;
    this.assertOfferer(name, bearer);
    const camera = readFeedName(name)?.camera;
    const stream = camera ? await streams.get(camera) : null;
    const feed = stream && feedsOf(stream).find((one) => one.name === name);
    if (!stream || !feed) throw new Failure('NOT_FOUND');
    assertMayAsk(stream, feed);
    const offered = formed(() => offerForGoogle(sdp));
    const { answer, extension, expiresAt } = await this.#generate(stream, offered);
    const sealed = sessions.seal(stream, name, { url: '', extension });
    const patch = { sealed, ...granted(Date.now(), expiresAt, Math.random()) };
    await this.#write(stream.id, name, patch).catch((error: unknown) => {
      closings.add(stream, { ...feed, sealed });
      throw error;
    });
    // Whoever offers again has lost the session of before.
    closings.add(stream, feed);
    wake(stream.id);
    return { sdp: formed(() => answerForServer(answer, sdp)) };
  }

  async #generate(stream: CameraStream, offer: string) {
    try {
      return await this.#deps.sessions.offer(stream, offer);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      const now = Date.now();
      const failed = failedStart(stream, error, now, Math.random());
      const { feed, next } = stream;
      const state = feed?.ready || next ? {} : { state: 'failed' as const };
      await change(this.#deps.streams, stream.id, () => ({ ...failed, ...state }));
      // No fault of this service: many cameras that are off must not open its circuit breaker.
      throw new Failure('CONFLICT', error.message, { retryAfter: secondsUntil(Date.parse(failed.retryAt), now) });
    }
  }

  #write(camera: string, name: string, patch: Partial<Feed>): Promise<CameraStream> {
    return change(this.#deps.streams, camera, (current) => {
      if (current.feed?.name === name) return { feed: { ...current.feed, ...patch } };
      if (current.next?.name === name) return { next: { ...current.next, ...patch } };
      throw new Failure('NOT_FOUND');
    });
  }
}

/** The media server tries again every 5 s, which is more often than Google allows. */
function assertMayAsk(stream: CameraStream, feed: Feed): void {
  const now = Date.now();
  const pausedUntil = stream.retryAt ? Date.parse(stream.retryAt) : 0;
  const answeredUntil = feed.sealed ? Date.parse(feed.startedAt) + againMs : 0;
  const again = Math.max(pausedUntil, answeredUntil);
  if (again > now) {
    throw new Failure('RATE_LIMITED', 'The camera was asked a moment ago', { retryAfter: secondsUntil(again, now) });
  }
}

const secondsUntil = (time: number, now: number): number => Math.ceil((time - now) / 1_000);

function formed(make: () => string): string {
  try {
    return make();
  } catch (error) {
    if (error instanceof SdpError) throw new Failure('INVALID_REQUEST', error.message);
    throw error;
  }
}
