import { type Call, Failure } from '../../shared/contracts/index.ts';
import type { ParsedOf } from '../../shared/contracts/kernel.ts';
import type { streamsContract } from '../../shared/contracts/streams.contract.ts';
import type { Collection } from '../../shared/store/collection.ts';
import { type FeedTokens, freePictureName, pictureName } from './feed.tokens.ts';
import type { FreeNames } from './free.names.ts';
import { credentialsOf, readAuthAddress, readFeedName } from './media/index.ts';
import { type CameraStream, feedsOf } from './streams.store.ts';
import { tokenVersions } from './token.versions.ts';
import type { ViewerToken, ViewerTokens } from './viewer.tokens.ts';
import { isCurrent as isWatching, type Viewings } from './viewings.ts';

type Authorize = ParsedOf<(typeof streamsContract)['modules']['streams']['actions']['authorize']>['payload'];

export interface GateDeps {
  streams: Collection<CameraStream>;
  viewings: Viewings;
  feedTokens: FeedTokens;
  viewerTokens: ViewerTokens;
  freeNames: Pick<FreeNames, 'vacancy'>;
  call: Call;
  /** Which media servers' questions are signed with. */
  secret: string;
}

/** In the media server's words: also where it is encrypted. Sessions of others (`moq`) are not listed, nor ended. */
const readProtocols = ['rtsp', 'rtmp', 'hls', 'webrtc', 'srt'];
/** Of names without a camera, a user at a time. */
const maxPictures = 4;
/** No camera's id begins so. */
const pictureAt = 'picture at ';

/**
 * Answers a media server that asks whether somebody may read or publish. Only feeds of the camera's present owner
 * publish, and only who holds a token of that camera, not revoked, reads. At a name without a camera anybody with such a
 * token sees the picture that says so.
 */
export class Gate {
  readonly #deps: GateDeps;

  constructor(deps: GateDeps) {
    this.#deps = deps;
  }

  /** The id of the media server whose address was asked. @throws Failure FORBIDDEN where its signature is wrong */
  serverOf(query: string): string {
    const server = readAuthAddress(new URLSearchParams(query), this.#deps.secret);
    if (server === null) throw new Failure('FORBIDDEN');
    return server;
  }

  /** @throws Failure UNAUTHORIZED, FORBIDDEN, LIMIT_EXCEEDED, UNAVAILABLE */
  async assertMay({ query, attempt }: Authorize): Promise<void> {
    const server = this.serverOf(query);
    const { token } = credentialsOf(attempt);
    // A client of RTSP sends what it has only after it was asked (401).
    if (!token) throw new Failure('UNAUTHORIZED');
    if (attempt.action === 'publish') return this.#assertPublisher(token, attempt.path, server);
    if (attempt.action !== 'read' || !readProtocols.includes(attempt.protocol)) throw new Failure('FORBIDDEN');
    await this.#assertViewer(token, attempt, server);
  }

  async #assertPublisher(token: string, path: string, server: string): Promise<void> {
    const { feedTokens, freeNames } = this.#deps;
    const feed = feedTokens.readPublisher(token);
    // The path of a camera is the camera's, also from one moment to the next.
    if (feed === freePictureName(server, path) && (await freeNames.vacancy(path))) return;
    const camera = feed && readFeedName(feed)?.camera;
    const stream = camera ? await this.#deps.streams.get(camera) : null;
    if (!stream || !feed || !isCurrent(stream, feed) || stream.path !== path) throw new Failure('UNAUTHORIZED');
  }

  async #assertViewer(token: string, attempt: Authorize['attempt'], server: string): Promise<void> {
    const claims = await this.#deps.viewerTokens.read(token);
    if (!claims) throw new Failure('UNAUTHORIZED');
    const watched = (await this.#camera(claims, attempt.path, server)) ?? (await this.#noCamera(claims, attempt.path));
    if (watched === null) throw new Failure('UNAUTHORIZED');
    await this.#assertNotRevoked(claims);
    // A page, or the question for its options, is no reader.
    if (!attempt.id) return;
    if (watched !== claims.camera) await this.#assertFewPictures(claims.viewer, watched);
    await this.#deps.viewings.reserve({ ...claims, camera: watched }, { server, session: attempt.id });
  }

  /** The camera of the token, where the path is that of its stream; null where it is not. */
  async #camera({ camera, createdAt }: ViewerToken, path: string, server: string): Promise<string | null> {
    const stream = await this.#deps.streams.get(camera);
    // Elsewhere its path may be one that is free.
    if (!stream?.wanted || stream.path !== path || stream.server !== server) return null;
    return stream.kickedAt !== null && createdAt <= stream.kickedAt ? null : camera;
  }

  /** What a viewing of the picture at a free name counts as; null where a camera has it, or another one that is off. */
  async #noCamera({ camera }: ViewerToken, path: string): Promise<string | null> {
    const vacancy = await this.#deps.freeNames.vacancy(path);
    if (!vacancy || (vacancy.camera !== null && vacancy.camera !== camera)) return null;
    return `${pictureAt}${path}`;
  }

  /** @throws Failure LIMIT_EXCEEDED */
  async #assertFewPictures(viewer: string, watched: string): Promise<void> {
    const viewings = (await this.#deps.viewings.ofViewer(viewer)).filter(isWatching);
    const pictures = new Set(viewings.map(({ camera }) => camera).filter((one) => one.startsWith(pictureAt)));
    if (pictures.has(watched) || pictures.size < maxPictures) return;
    throw new Failure('LIMIT_EXCEEDED', `A user sees ${maxPictures} names without a camera at a time at most`);
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
