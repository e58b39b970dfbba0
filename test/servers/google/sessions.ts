import { randomBytes, randomUUID } from 'node:crypto';
import { type Clock, minute } from './clock.ts';
import { GoogleError } from './http.ts';
import type { GoogleDevice } from './models.ts';
import { checkOffer } from './offer.ts';

const lifetime = 5 * minute;

export interface Session {
  readonly id: string;
  readonly device: string;
  readonly protocol: 'RTSP' | 'WEB_RTC';
  /** What extends or stops it: changes with every extension of an RTSP session. */
  handle: string;
  /** RTSP: the `auth` of the URL, likewise. */
  streamToken: string;
  /** Real milliseconds since the epoch. */
  ends: number;
}

export interface Counts {
  generated: number;
  extended: number;
  stopped: number;
}

export interface SessionOptions {
  clock: Clock;
  /** Where the stream of a device is really to be had. */
  rtspUrl(device: string): string;
  webrtcAnswer(offer: string, device: string): Promise<string>;
}

const random = (kind: string) => `s3cret-${kind}-${randomBytes(18).toString('base64url')}`;
const iso = (ms: number) => new Date(ms).toISOString();

/** Live stream sessions: five minutes each, and five more with every extension. */
export class Sessions {
  readonly #options: SessionOptions;
  readonly #live = new Map<string, Session>();
  readonly counts: Counts = { generated: 0, extended: 0, stopped: 0 };

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /** Sessions that are neither stopped nor over. */
  live(): Session[] {
    return [...this.#live.values()].filter(({ ends }) => ends > Date.now());
  }

  async run(device: GoogleDevice, battery: boolean, command: string, params: Record<string, unknown>) {
    const [, verb, family] = /^(Generate|Extend|Stop)(Rtsp|WebRtc)Stream$/.exec(command) ?? [];
    if (!verb) throw new GoogleError(404, 'NOT_FOUND', `Command ${command} not found.`);
    const protocol = family === 'Rtsp' ? 'RTSP' : 'WEB_RTC';
    const offered = device.traits['sdm.devices.traits.CameraLiveStream']?.supportedProtocols as string[] | undefined;
    if (!offered?.includes(protocol)) {
      throw new GoogleError(400, 'INVALID_ARGUMENT', `Command ${command} is not supported for this camera's protocol.`);
    }
    if (verb === 'Extend' && battery && device.type.endsWith('.DOORBELL')) {
      throw new GoogleError(400, 'FAILED_PRECONDITION', 'Command is not supported for doorbell.');
    }
    if (verb === 'Generate') return this.#generate(device, protocol, params);
    const session = this.#find(device, protocol, params);
    return verb === 'Extend' ? this.#extend(session, battery) : this.#stop(session);
  }

  async #generate(device: GoogleDevice, protocol: Session['protocol'], params: Record<string, unknown>) {
    const { clock, rtspUrl, webrtcAnswer } = this.#options;
    const ends = Date.now() + clock.ms(lifetime);
    const [handle, streamToken] = [random('handle'), random('stream')];
    const session: Session = { id: randomUUID(), device: device.name, protocol, handle, streamToken, ends };
    const keep = () => {
      this.#live.set(session.id, session);
      this.counts.generated += 1;
    };
    if (protocol === 'RTSP') {
      keep();
      const url = new URL(rtspUrl(device.name));
      url.searchParams.set('auth', streamToken);
      const streamUrls = { rtspUrl: url.href };
      return { streamUrls, streamToken, streamExtensionToken: handle, expiresAt: iso(ends) };
    }
    const answerSdp = await webrtcAnswer(checkOffer(params.offerSdp), device.name);
    keep();
    return { answerSdp, mediaSessionId: handle, expiresAt: iso(ends) };
  }

  #find(device: GoogleDevice, protocol: Session['protocol'], params: Record<string, unknown>): Session {
    const handle = protocol === 'RTSP' ? params.streamExtensionToken : params.mediaSessionId;
    if (typeof handle !== 'string' || handle === '') {
      throw new GoogleError(400, 'INVALID_ARGUMENT', 'Request contains an invalid argument.');
    }
    const session = this.live().find((one) => one.handle === handle && one.device === device.name);
    if (session) return session;
    // For RTSP nothing is documented or reported: it is answered as for WebRTC.
    throw new GoogleError(
      400,
      'FAILED_PRECONDITION',
      `${protocol === 'RTSP' ? 'Rtsp' : 'WebRtc'} error caused by invalid session or user id mismatch.`,
    );
  }

  /** On battery the command succeeds and lengthens nothing. */
  #extend(session: Session, battery: boolean) {
    if (!battery) session.ends = Date.now() + this.#options.clock.ms(lifetime);
    this.counts.extended += 1;
    const expiresAt = iso(session.ends);
    if (session.protocol === 'WEB_RTC') return { mediaSessionId: session.handle, expiresAt };
    session.handle = random('handle');
    session.streamToken = random('stream');
    return { streamExtensionToken: session.handle, streamToken: session.streamToken, expiresAt };
  }

  #stop(session: Session) {
    this.#live.delete(session.id);
    this.counts.stopped += 1;
    return {};
  }
}
