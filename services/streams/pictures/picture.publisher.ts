import { currentSlot, everyFrame } from './picture.clock.ts';
import { type PictureName, pictureFiles } from './picture.files.ts';
import { PictureFrames } from './picture.frames.ts';
import { description, trackControl } from './rtp.h264.rules.ts';
import { RtspConnection } from './rtsp.connection.ts';
import { basicAuthorization, channelOf, type RtspRequest, rtspUrl, sessionOf } from './rtsp.request.rules.ts';

export interface PictureTarget {
  /** Host name or address of the media server, and its port of RTSP. */
  host: string;
  port: number;
  /** Name of the path, without slashes at its ends. */
  path: string;
  /** Empty where the server asks for none. No colon in either: MediaMTX splits Basic credentials at each. */
  user: string;
  password: string;
}

export interface PublishOptions extends PictureTarget {
  /** Asked for once a second: viewers stay connected when it changes. */
  picture(): PictureName;
  signal: AbortSignal;
  /** Called when the picture is on the path. */
  published?(): void;
}

export interface PictureEnd {
  /**
   * - taken over: the server lives and ended the session: another publishes there, the path is gone, or we were kicked.
   * - stopped: by the signal.
   * - refused: the server said no: wrong credentials, no such path, somebody there who may not be replaced.
   * - unreachable: nobody there, no answer in time, or no longer.
   */
  why: 'taken over' | 'stopped' | 'refused' | 'unreachable';
  /** For logs. */
  detail: string;
}

/** How the media server lists us, and what it tells when it asks who may publish. */
export const pictureAgent = 'trigate-picture';

/**
 * Query of the URL that is published to. The media server repeats it in its hooks (`ready`, `notReady`) and its questions:
 * so a picture is told from a camera.
 */
export const pictureQuery = 'source=picture';

class Refusal extends Error {}

/**
 * Publishes a still picture on a path of a media server, over TCP, until somebody else publishes there or the signal
 * comes. Never rejects.
 */
export async function publishPicture(options: PublishOptions): Promise<PictureEnd> {
  const { signal } = options;
  try {
    const problem = await connected(options, async (connection) => play(connection, await record(connection, options)));
    if (problem) throw problem;
    // A server that has died closes its connections too.
    if (!signal.aborted) await connected(options, (connection) => connection.ask(hello(options)));
    return signal.aborted ? stopped : { why: 'taken over', detail: 'The server ended the session' };
  } catch (error) {
    if (signal.aborted) return stopped;
    return { why: error instanceof Refusal ? 'refused' : 'unreachable', detail: (error as Error).message };
  }

  async function play(connection: RtspConnection, { channel, request }: Session): Promise<Error | undefined> {
    connection.goodbye = request('TEARDOWN');
    const [name, picture, alive] = [pictureAgent, options.picture, request('OPTIONS')];
    const slot = currentSlot();
    const frames = new PictureFrames({ connection, channel, name, picture, alive }, slot);
    options.published?.();
    frames.next(slot);
    const end = everyFrame((slot) => frames.next(slot));
    try {
      return await connection.ended;
    } finally {
      end();
    }
  }
}

const stopped: PictureEnd = { why: 'stopped', detail: '' };

/** A connection for as long as it is used. */
async function connected<T>(
  { host, port, signal }: PublishOptions,
  use: (connection: RtspConnection) => Promise<T>,
): Promise<T> {
  const connection = await RtspConnection.open(host, port, signal);
  try {
    return await use(connection);
  } finally {
    connection.close();
  }
}

const hello = ({ host, port, path }: PictureTarget): RtspRequest => ({
  method: 'OPTIONS',
  url: `${rtspUrl(host, port, path)}?${pictureQuery}`,
  headers: { 'User-Agent': pictureAgent },
});

interface Session {
  /** Of RTP; RTCP has the next. */
  channel: number;
  request(method: RtspRequest['method']): RtspRequest;
}

/** Becomes the publisher of the path (RFC 2326, 10.3, 10.4, 10.11). @throws Refusal, or another Error for no answer */
async function record(connection: RtspConnection, options: PublishOptions): Promise<Session> {
  const ask = async (request: RtspRequest) => {
    const answer = await connection.ask(request);
    if (answer.status === 200) return answer;
    throw new Refusal(`${request.method} was answered ${answer.status}`);
  };
  const { url } = hello(options);
  const headers = { 'User-Agent': pictureAgent, Authorization: basicAuthorization(options.user, options.password) };
  await ask(hello(options));
  const body = description(pictureFiles[options.picture()]);
  await ask({ method: 'ANNOUNCE', url, headers: { ...headers, 'Content-Type': 'application/sdp' }, body });
  const Transport = 'RTP/AVP/TCP;unicast;interleaved=0-1;mode=record';
  const answer = await ask({ method: 'SETUP', url: `${url}/${trackControl}`, headers: { ...headers, Transport } });
  const [Session, channel] = [sessionOf(answer), channelOf(answer)];
  if (Session === undefined || channel === null) throw new Refusal('SETUP was answered without session or channels');
  const request = (method: RtspRequest['method']) => ({ method, url, headers: { ...headers, Session } });
  await ask(request('RECORD'));
  return { channel, request };
}
