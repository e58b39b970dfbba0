import type { EventEnvelope } from '../../shared/fanout/bus.ts';

/** Milliseconds after which it is of no use that a user went offline: an id is recognised for two minutes. */
const usefulMs = 300_000;

/** The edge that was told last of each user, of events given oldest first; of users offline only the newest ones. */
export function lastEdges(envelopes: readonly EventEnvelope[], now = Date.now()): EventEnvelope[] {
  const last = new Map<string | null, EventEnvelope>();
  for (const envelope of envelopes) last.set(envelope.body.entity, envelope);
  return [...last.values()].filter(({ body }) => body.event === 'online' || now - Date.parse(body.at) < usefulMs);
}
