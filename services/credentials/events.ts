import { createHash } from 'node:crypto';
import type { Call } from '../../shared/contracts/index.ts';
import type { Log } from '../../shared/runtime/log.ts';
import { type Collection, type Collections, Duplicate, type Stored } from '../../shared/store/collection.ts';
import type { Emit } from '../deps.ts';
import type { DeviceCommands } from './commands.ts';
import { downloadPicture } from './google/pictures.ts';
import { type Message, type Noticed, readMessage } from './messages.rules.ts';
import type { DeviceSync } from './sync.ts';

export interface EventDeps {
  handled: Collection<Stored>;
  commands: DeviceCommands;
  sync: DeviceSync;
  call: Call;
  emit: Emit;
  log: Log;
  /** Base URL of the device API. */
  sdmUrl: string;
}

/** Which events were passed on, for as long as Pub/Sub may deliver them again. */
export const handledStore = (stores: Collections): Promise<Collection<Stored>> =>
  stores.collection<Stored>({ name: 'google-events', sortable: [] });

/** Milliseconds for which Google has the picture of an event. */
const pictureLife = 30_000;
/** Milliseconds spent on one: the message must be acknowledged before it is delivered again. */
const pictureMs = 6_000;

/** What Google's messages tell, as service events: each once, however often it is delivered. */
export function cameraEvents({ handled, commands, sync, call, emit, log, sdmUrl }: EventDeps) {
  async function fetchPicture(id: string, { device, eventId }: Noticed): Promise<string | null> {
    const command = { device, command: 'CameraEventImage.GenerateImage', params: { eventId } };
    const generated = await commands(id, command, 'background');
    return generated.ok ? downloadPicture(generated.results, sdmUrl) : null;
  }

  /** Null where it does not come in time: an event without a picture is better than one that comes late. */
  async function picture(id: string, noticed: Noticed): Promise<string | null> {
    if (Date.parse(noticed.at) < Date.now() - pictureLife) return null;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<null>((resolve) => {
      timer = setTimeout(() => resolve(null), pictureMs);
    });
    const fetched = fetchPicture(id, noticed).catch((err) => {
      log.warn({ credentials: id, err }, 'the picture of an event could not be fetched');
      return null;
    });
    return Promise.race([fetched, late]).finally(() => clearTimeout(timer));
  }

  async function pass(messageId: string, noticed: Noticed): Promise<void> {
    const camera = await call('cameras.identify', { payload: { device: noticed.device } });
    if (!camera) return;
    const key = createHash('sha256').update(`${messageId} ${noticed.event} ${noticed.eventId}`).digest('hex');
    if (await handled.get(key)) return;
    const { event, eventId, sessionId, at } = noticed;
    const image = camera.pictures ? await picture(camera.credentialId, noticed) : null;
    await emit('camera', event, camera.id, { name: camera.name, eventId, sessionId, at, image }, null, key);
    await handled.insert({ id: key }).catch((error: unknown) => {
      if (!(error instanceof Duplicate)) throw error;
    });
  }

  /**
   * Handles the data of one message of a subscription; it may be acknowledged when this resolves. Several credentials
   * may name one subscription: whose device it is, the camera says.
   * @throws Error where an event could not be stored: the message must come again
   */
  return async (subscription: string, data: unknown): Promise<void> => {
    const message: Message | null = readMessage(data);
    if (!message) {
      log.warn({ subscription }, 'a message of Pub/Sub is none of Google Device Access');
      return;
    }
    if (message.relations) await sync.soonOf(subscription);
    for (const noticed of message.noticed) await pass(message.id, noticed);
  };
}

export type CameraEvents = ReturnType<typeof cameraEvents>;
