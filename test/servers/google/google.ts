import { randomUUID } from 'node:crypto';
import { clockOf } from './clock.ts';
import { GoogleError, serve } from './http.ts';
import { Images } from './images.ts';
import { type DeviceOptions, type Kind, makeDevice } from './models.ts';
import { OAuth, type OAuthClient } from './oauth.ts';
import { emptyAnswer } from './offer.ts';
import { PubSub } from './pubsub.ts';
import { Quota } from './quota.ts';
import { Sdm } from './sdm.ts';
import { type Session, Sessions } from './sessions.ts';

export interface GoogleOptions {
  /** How many times faster than Google's its clock goes; 1. */
  clockFactor?: number;
  /** Base URL of real RTSP sources: the id of a device is appended; or a function of the device's name. */
  rtspSource?: string | ((device: string) => string);
  /** Answers WebRTC offers; by default a description behind which nobody is. */
  webrtcAnswer?: (offer: string, device: string) => Promise<string>;
  /** Milliseconds after which a message that was not acknowledged comes again; 10 s. Not scaled. */
  ackDeadlineMs?: number;
  /** Whether it counts what it is asked for, as Google does; true. */
  limits?: boolean;
}

export interface PublishOptions {
  /** Of the message: the same twice is a message delivered twice by its publisher. */
  eventId?: string;
  sessionId?: string;
  /** The picture of the event. */
  jpeg?: Buffer;
  timestamp?: string;
}

const events = { motion: 'CameraMotion.Motion', person: 'CameraPerson.Person', sound: 'CameraSound.Sound' } as const;
const eventNames = { ...events, chime: 'DoorbellChime.Chime' } as const;

export type Google = Awaited<ReturnType<typeof startGoogle>>;

/**
 * A stand-in for what Trigate uses of Google: the consent page of the Partner Connections Manager, the token endpoint,
 * the Smart Device Management API and Pub/Sub. It follows what Google documents and what users of it report. It runs in
 * the process that starts it, so that it outlives every process of the product.
 */
export async function startGoogle(options: GoogleOptions = {}) {
  const clock = clockOf(options.clockFactor ?? 1);
  const clients: OAuthClient[] = [];
  const addClient = (): OAuthClient => {
    const client = {
      oauth_client_id: `${randomUUID()}.apps.googleusercontent.com`,
      oauth_client_secret: `s3cret-${randomUUID()}`,
      dac_project_id: randomUUID(),
    };
    clients.push(client);
    return client;
  };
  const client = addClient();
  const subscription = `projects/cloud-${client.dac_project_id}/subscriptions/trigate`;
  const oauth = new OAuth(clients, clock);
  const quota = new Quota(clock, options.limits ?? true);
  const images = new Images(clock);
  const source = options.rtspSource ?? 'rtsp://127.0.0.1:8554';
  const sessions = new Sessions({
    clock,
    rtspUrl: (name) => (typeof source === 'function' ? source(name) : `${source}/${name.split('/').at(-1)}`),
    webrtcAnswer: options.webrtcAnswer ?? (async (offer) => emptyAnswer(offer)),
  });
  const sdm = new Sdm(oauth, quota, sessions, images);
  const pubsub = new PubSub(subscription, options.ackDeadlineMs ?? 10_000, oauth);
  const http = await serve([oauth.answer, sdm.answer, pubsub.answer, images.answer]);
  const url = `http://127.0.0.1:${http.port}`;
  sdm.base = url;

  const shared = (name: string) => {
    const known = sdm.devices.get(name);
    if (!known) throw new Error(`there is no device ${name}`);
    return known;
  };

  return {
    url,
    client,
    /** A further client, of a project of its own. */
    addClient,
    subscription,
    /** Variables with which the product asks here. */
    env: {
      GOOGLE_SDM_URL: `${url}/v1`,
      GOOGLE_TOKEN_URL: `${url}/token`,
      GOOGLE_CONSENT_URL: `${url}/partnerconnections`,
      GOOGLE_PUBSUB_URL: `${url}/v1`,
      GOOGLE_QUOTA_FACTOR: String(clock.factor),
    },
    /** What `credentials.create` takes. */
    credentials: (more: object = {}) => ({ description: 'Home', ...client, ...more }),
    oauth,
    pubsub,
    quota,
    sdm,
    images,
    counts: sessions.counts,
    live: (): Session[] => sessions.live(),
    /** The name of a new device, shared by whoever sits before the consent page. */
    addDevice(kind: Kind, more: DeviceOptions & { id?: string; project?: string } = {}): string {
      const device = makeDevice(more.project ?? client.dac_project_id, more.id ?? randomUUID(), kind, more);
      sdm.devices.set(device.name, { user: oauth.user, device, battery: kind.startsWith('battery'), off: false });
      return device.name;
    },
    removeDevice: (name: string) => sdm.devices.delete(name),
    device: (name: string) => shared(name).device,
    cameraOff(name: string, off: boolean): void {
      shared(name).off = off;
    },
    /** `CameraLiveStream.ExtendRtspStream`, …, or `list`. */
    failNext(command: string, times: number, code = 503, status = 'UNAVAILABLE', message = 'Unavailable.'): void {
      sdm.fail(command, times, new GoogleError(code, status, message));
    },
    /** Commands take so many milliseconds from now on. */
    slow(ms: number): void {
      sdm.slowMs = ms;
    },
    offline(off: boolean): void {
      http.offline = off;
    },
    /** Goes to the consent page as a browser would, and agrees. Resolves to where it leads. */
    async consent(consentUrl: string): Promise<string> {
      const response = await fetch(consentUrl, { redirect: 'manual', signal: AbortSignal.timeout(5_000) });
      const location = response.headers.get('location');
      if (response.status !== 302 || !location) throw new Error(`${response.status} ${await response.text()}`);
      return location;
    },
    /** False where Google would send nothing yet, as the user's devices were never listed. */
    publish(name: string, event: keyof typeof eventNames, more: PublishOptions = {}): boolean {
      const { user } = shared(name);
      if (!oauth.listed(user)) return false;
      const eventId = randomUUID();
      if (more.jpeg) images.add(eventId, name, more.jpeg);
      const body = { eventSessionId: more.sessionId ?? randomUUID(), eventId };
      pubsub.add({
        eventId: more.eventId ?? randomUUID(),
        timestamp: more.timestamp ?? new Date().toISOString(),
        resourceUpdate: { name, events: { [`sdm.devices.events.${eventNames[event]}`]: body } },
        userId: user,
        resourceGroup: [name],
      });
      return true;
    },
    publishRelation(type: 'CREATED' | 'UPDATED' | 'DELETED', object: string): void {
      const relationUpdate = { type, subject: '', object };
      const timestamp = new Date().toISOString();
      pubsub.add({ eventId: randomUUID(), timestamp, relationUpdate, userId: oauth.user });
    },
    stop: () => http.stop(),
  };
}
