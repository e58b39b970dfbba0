import { randomBytes } from 'node:crypto';
import type { Vault } from '../../shared/runtime/vault.ts';
import { type Collection, type Collections, Duplicate, type Stored } from '../../shared/store/collection.ts';
import type { ViewerToken } from './viewer.tokens.ts';

export type FeedKind = 'rtsp' | 'google-rtsp' | 'google-webrtc';

/** One session with a camera, and the path of the media server that pulls it. */
export interface Feed {
  /** Of the feed path; it holds the fencing number it was made under. */
  name: string;
  kind: FeedKind;
  /** Sealed `{source, extension}`: the URL, and what Google wants for the next extension. Null until there is one. */
  sealed: string | null;
  /** All times are ISO 8601, UTC. */
  startedAt: string;
  /** When Google last said how long it lasts. */
  grantedAt: string;
  /** Null where it never ends. */
  expiresAt: string | null;
  /** When the next extension is due. */
  extendAt: string | null;
  /** In a row. */
  failedExtensions: number;
  /** False for devices whose sessions cannot be extended: another one takes over. */
  isExtendable: boolean;
  /** Whether the media server gets media. */
  ready: boolean;
  /** Since when it gets none, where it did before. */
  lostAt: string | null;
}

export type StreamState = 'idle' | 'starting' | 'ready' | 'failed';

/** The stream of an enabled camera; its id is the camera's. Whoever owns it changes it under its fencing number. */
export interface CameraStream extends Stored {
  name: string;
  /** Viewer path. */
  path: string;
  persistent: boolean;
  credentialId: string | null;
  /** Google's device name. */
  sealedDevice: string;
  protocols: string[];
  sealedSource: string | null;
  /** False: the camera is gone or disabled, and so will this record be. */
  wanted: boolean;
  /** Member that owns it, and how often it was taken; see `ownership.ts`. */
  owner: string | null;
  fence: number;
  /** Feeds made under any fence. */
  feeds: number;
  server: string | null;
  /** Whether the media server said that somebody waits for it or watches. */
  demanded: boolean;
  demandedAt: string | null;
  /** Id of the media server for who publishes on the viewer path; null while nobody does. */
  publisher: string | null;
  state: StreamState;
  problem: string | null;
  /** Failed starts in a row, and when the next one may be tried. */
  failures: number;
  retryAt: string | null;
  feed: Feed | null;
  /** The session that takes over from `feed` when it delivers. */
  next: Feed | null;
  /** When its readers were sent away: tokens from before no longer open it. */
  kickedAt: string | null;
}

/** Somebody who watches, or was allowed to a moment ago: one of the slots a user has. */
export interface Viewing extends Stored {
  /** User or key. */
  viewer: string;
  /** Version the viewer's tokens must have; null where versions are not ours. */
  tokenVersion: number | null;
  /** Id of the viewer token it was allowed with. */
  token: string;
  camera: string;
  server: string;
  /** Of the media server: the session, or the connection that will get one. */
  session: string;
  /**
   * Sessions let in with the same token before this one read, the latest last: what is one reader and what another only
   * shows when they read.
   */
  waiting: string[];
  /** The media server's kind of reader; null until it reads. */
  type: string | null;
  /** ISO; a reader that has not begun by then gives its slot back. */
  until: string;
}

export interface Setting extends Stored {
  sealed: string;
}

/** The session a camera has, and the one that takes over from it, as far as they are there. */
export const feedsOf = ({ feed, next }: Pick<CameraStream, 'feed' | 'next'>): Feed[] =>
  [feed, next].filter((one) => one !== null);

/** Where each sealed text of a camera's stream belongs: the source as in the camera's own record, a feed's to the feed. */
export const sourceContext = (camera: string): string => `cameras/${camera}/source`;
export const deviceContext = (camera: string): string => `streams/${camera}/device`;
export const feedContext = (camera: string, feed: string | undefined): string => `streams/${camera}/${feed}`;

export interface StreamsStore {
  streams: Collection<CameraStream>;
  viewings: Collection<Viewing>;
  viewerTokens: Collection<ViewerToken>;
  settings: Collection<Setting>;
  /** Of this installation, made once: what hooks and feeds are signed with, and its public name. */
  secret: string;
  installation: string;
}

export async function streamsStore(stores: Collections, vault: Vault): Promise<StreamsStore> {
  const [streams, viewings, viewerTokens, settings] = await Promise.all([
    stores.collection<CameraStream>({
      name: 'streams',
      unique: ['path'],
      sortable: ['createdAt', 'id', 'name'],
      search: { keys: ['name', 'path'], match: 'contains' },
      indexes: [['server'], ['owner'], ['state']],
    }),
    stores.collection<Viewing>({
      name: 'viewings',
      sortable: ['createdAt', 'id'],
      indexes: [['viewer'], ['session'], ['waiting'], ['server']],
    }),
    stores.collection<ViewerToken>({ name: 'viewer-tokens', sortable: [], indexes: [['expiresAt']] }),
    stores.collection<Setting>({ name: 'stream-settings', sortable: [] }),
  ]);
  const secret = await kept(settings, vault);
  // Only a name: it tells nothing of the secret it comes from.
  return { streams, viewings, viewerTokens, settings, secret, installation: secret.slice(0, 12) };
}

export const secretContext = 'streams/secret';

async function kept(settings: Collection<Setting>, vault: Vault): Promise<string> {
  try {
    const made = `${randomBytes(9).toString('base64url')}${randomBytes(32).toString('base64url')}`;
    await settings.insert({ id: 'secret', sealed: vault.seal(made, secretContext) });
    return made;
  } catch (error) {
    if (!(error instanceof Duplicate)) throw error;
    const found = await settings.get('secret');
    if (!found) throw error;
    return vault.open(found.sealed, secretContext);
  }
}
