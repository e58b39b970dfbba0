import { z } from 'zod';
import { deviceName } from '../../shared/contracts/fields.ts';

const eventPrefix = 'sdm.devices.events.';
/** What Google calls an event, and what it is called here. */
const events = {
  'CameraMotion.Motion': 'motion',
  'CameraPerson.Person': 'person',
  'CameraSound.Sound': 'sound',
  'DoorbellChime.Chime': 'chime',
} as const;
export type CameraEvent = (typeof events)[keyof typeof events];

const id = z.string().min(1).max(1_024);
const message = z.object({
  eventId: id,
  timestamp: z.iso.datetime({ offset: true }),
  resourceUpdate: z
    .object({ name: z.string(), events: z.record(z.string(), z.record(z.string(), z.unknown())).default({}) })
    .optional(),
  relationUpdate: z.object({}).optional(),
});
const happened = z.object({ eventId: id, eventSessionId: id });

export interface Noticed {
  device: string;
  event: CameraEvent;
  /** Of the event itself, for its picture. */
  eventId: string;
  sessionId: string;
  /** ISO 8601, UTC. */
  at: string;
}

export interface Message {
  /** Of the message: the same again is the same message. */
  id: string;
  noticed: Noticed[];
  /** Devices were added, moved or taken away. */
  relations: boolean;
}

/** A message of Google's as what it tells; null where it is none. `data` is base64 of JSON. */
export function readMessage(data: unknown): Message | null {
  if (typeof data !== 'string') return null;
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(data, 'base64').toString('utf8'));
  } catch {
    return null;
  }
  const parsed = message.safeParse(json);
  if (!parsed.success) return null;
  const { eventId, timestamp, resourceUpdate, relationUpdate } = parsed.data;
  const at = new Date(timestamp).toISOString();
  return {
    id: eventId,
    noticed: resourceUpdate ? noticedIn(resourceUpdate, at) : [],
    relations: relationUpdate !== undefined,
  };
}

function noticedIn({ name, events: told }: { name: string; events: Record<string, unknown> }, at: string): Noticed[] {
  const device = deviceName.safeParse(name);
  if (!device.success) return [];
  return Object.entries(told).flatMap(([key, value]) => {
    const event = events[key.replace(eventPrefix, '') as keyof typeof events];
    const body = happened.safeParse(value);
    if (!event || !body.success) return [];
    return [{ device: device.data, event, eventId: body.data.eventId, sessionId: body.data.eventSessionId, at }];
  });
}
