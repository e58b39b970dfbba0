import { type Call, Failure } from '../../shared/contracts/index.ts';
import type { ParsedOf } from '../../shared/contracts/kernel.ts';
import type { streamsContract } from '../../shared/contracts/streams.contract.ts';
import type { Collection } from '../../shared/store/collection.ts';
import { type FeedTokens, pictureName } from './feed.tokens.ts';
import { credentialsOf, readAuthAddress, readFeedName } from './media/index.ts';
import { type CameraStream, feedsOf } from './streams.store.ts';
import { tokenVersions } from './token.versions.ts';
import type { ViewerToken, ViewerTokens } from './viewer.tokens.ts';
import type { Viewings } from './viewings.ts';

type Authorize = ParsedOf<(typeof streamsContract)['modules']['streams']['actions']['authorize']>['payload'];

export interface GateDeps {
  streams: Collection<CameraStream>;
  viewings: Viewings;
  feedTokens: FeedTokens;
  viewerTokens: ViewerTokens;
  call: Call;
  /** Which media servers' questions are signed with. */
  secret: string;
}

/**
 * Answers a media server that asks whether somebody may read or publish. Only feeds of the camera's present owner
 * publish, and only who holds a token of that camera, not revoked, reads.
 */
export class Gate {
  readonly #deps: GateDeps;

  constructor(deps: GateDeps) {
    this.#deps = deps;
  }

  /** @throws Failure UNAUTHORIZED, FORBIDDEN, LIMIT_EXCEEDED, UNAVAILABLE */
  async assertMay({ query, attempt }: Authorize): Promise<void> {
    const server = readAuthAddress(new URLSearchParams(query), this.#deps.secret);
    if (server === null) throw new Failure('FORBIDDEN');
    const { token } = credentialsOf(attempt);
    // A client of RTSP sends what it has only after it was asked (401).
    if (!token) throw new Failure('UNAUTHORIZED');
    if (attempt.action === 'publish') return this.#assertFeed(token, attempt.path);
    if (attempt.action !== 'read') throw new Failure('FORBIDDEN');
    await this.#assertViewer(token, attempt, server);
  }

  async #assertFeed(token: string, path: string): Promise<void> {
    const feed = this.#deps.feedTokens.readPublisher(token);
    const camera = feed && readFeedName(feed)?.camera;
    const stream = camera ? await this.#deps.streams.get(camera) : null;
    if (!stream || !feed || !isCurrent(stream, feed) || stream.path !== path) throw new Failure('UNAUTHORIZED');
  }

  async #assertViewer(token: string, attempt: Authorize['attempt'], server: string): Promise<void> {
    const claims = await this.#deps.viewerTokens.read(token);
    if (!claims) throw new Failure('UNAUTHORIZED');
    const stream = await this.#deps.streams.get(claims.camera);
    if (!stream?.wanted || stream.path !== attempt.path) throw new Failure('UNAUTHORIZED');
    if (stream.kickedAt !== null && claims.createdAt <= stream.kickedAt) throw new Failure('UNAUTHORIZED');
    await this.#assertNotRevoked(claims);
    // A page, or the question for its options, is no reader.
    if (attempt.id) await this.#deps.viewings.reserve(claims, { server, session: attempt.id });
  }

  async #assertNotRevoked({ viewer, tokenVersion }: ViewerToken): Promise<void> {
    if (tokenVersion === null) return;
    const versions = await tokenVersions(this.#deps.call, [viewer]);
    if (versions.get(viewer) !== tokenVersion) throw new Failure('UNAUTHORIZED', 'The token was revoked');
  }
}

/** A feed of now, or its owner's picture while none delivers. */
function isCurrent(stream: CameraStream, name: string): boolean {
  if (name === pictureName(stream.id, stream.fence)) return !stream.feed?.ready;
  return feedsOf(stream).some((feed) => feed.name === name);
}
