import { contracts, type ServiceContract } from '../../shared/contracts/index.ts';
import type { ServiceEvent } from '../../shared/fanout/bus.ts';

/** By domain and event, the details that are for users only. */
const personal = new Map<string, readonly string[]>(
  (contracts as readonly ServiceContract[]).flatMap(({ events = {} }) =>
    Object.entries(events).flatMap(([domain, named]) =>
      Object.entries(named).flatMap(([event, { personal: keys }]) =>
        keys ? [[`${domain}.${event}`, keys] as const] : [],
      ),
    ),
  ),
);

/** An event as those may hear it who are not logged in. */
export function impersonal(event: ServiceEvent): ServiceEvent {
  const keys = personal.get(`${event.domain}.${event.event}`);
  if (!keys) return event;
  return { ...event, details: { ...event.details, ...Object.fromEntries(keys.map((key) => [key, null])) } };
}
