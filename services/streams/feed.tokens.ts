import { createHmac, timingSafeEqual } from 'node:crypto';
import { feedName } from './media/index.ts';

/** Under this name a camera's owner publishes the picture that stands for it: the feed before the first. */
export const pictureName = (camera: string, fence: number): string => feedName(camera, fence, 0);

/** The same at a name that is no camera's. No feed is named so, nor can a path be. */
export const freePictureName = (server: string, path: string): string => `free ${server} ${path}`;

/** By which a feed publishes and asks for its WebRTC session: signatures over its name, which nobody else can make. */
export class FeedTokens {
  readonly #secret: string;

  constructor(secret: string) {
    this.#secret = secret;
  }

  /** Password of the feed's forward at the viewer path. No colon: MediaMTX splits Basic credentials at each. */
  publisher(feed: string): string {
    return `${feed}.${this.#sign('publish', feed)}`;
  }

  /** The feed that a publisher's token is of; null where it is not good. */
  readPublisher(token: string): string | null {
    const at = token.lastIndexOf('.');
    const feed = token.slice(0, at);
    return at > 0 && isSame(token.slice(at + 1), this.#sign('publish', feed)) ? feed : null;
  }

  /** Bearer of the media server at the WHEP endpoint of the feed. */
  offerer(feed: string): string {
    return this.#sign('offer', feed);
  }

  isOfferer(feed: string, bearer: string): boolean {
    return isSame(bearer, this.#sign('offer', feed));
  }

  #sign(purpose: string, feed: string): string {
    return createHmac('sha256', this.#secret).update(`${purpose}\n${feed}`).digest('base64url');
  }
}

function isSame(given: string, expected: string): boolean {
  const [one, other] = [Buffer.from(given), Buffer.from(expected)];
  return one.length === other.length && timingSafeEqual(one, other);
}
