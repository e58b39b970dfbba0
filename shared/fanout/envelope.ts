import { z } from 'zod';
import { timestamp } from '../contracts/fields.ts';
import type { EventEnvelope } from './bus.ts';

/** Domain and event are tokens of NATS subjects and of MQTT topics. */
const word = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, 'letters, digits, - and _ only, at most 64');

const envelopeSchema: z.ZodType<EventEnvelope> = z.object({
  id: z.string().min(1).max(128),
  hearers: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('users') }),
    z.object({ kind: z.literal('admins') }),
    z.object({ kind: z.literal('named'), users: z.array(z.string()) }),
    z.object({ kind: z.literal('services') }),
  ]),
  body: z.object({
    domain: word,
    event: word,
    entity: z.string().max(1024).nullable(),
    details: z.record(z.string(), z.unknown()),
    at: timestamp,
  }),
  rooms: z.array(z.string()).optional(),
});

/** JSON of an envelope. @throws Error where the readers would refuse it: better here than lost there */
export function encodeEnvelope(envelope: EventEnvelope): string {
  const checked = envelopeSchema.safeParse(envelope);
  if (!checked.success) throw new Error(`not an event: ${z.prettifyError(checked.error)}`);
  return JSON.stringify(checked.data);
}

/** @throws Error where the text is not the JSON of an envelope */
export function decodeEnvelope(text: string): EventEnvelope {
  return envelopeSchema.parse(JSON.parse(text));
}

/** @throws Error where a topic could be a pattern or an empty name */
export function checkTopic(topic: string): void {
  if (!/^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/.test(topic)) throw new Error(`not a topic: ${topic}`);
}

/** @throws Error where a claim would be held for less than a second or more than a day */
export function checkTtl(ttlMs: number): void {
  if (!Number.isInteger(ttlMs) || ttlMs < 1_000 || ttlMs > 86_400_000) throw new Error(`not a time to live: ${ttlMs}`);
}
