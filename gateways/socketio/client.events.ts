import { randomUUID } from 'node:crypto';
import type { EventDetails, EventName } from '../../shared/contracts/index.ts';
import { Failure } from '../../shared/contracts/index.ts';
import type { Bus } from '../../shared/fanout/bus.ts';
import type { Principal } from '../../shared/runtime/principal.ts';
import { userOf } from './rooms.ts';

type Details<E extends EventName<'client'>> = Omit<EventDetails<'client', E>, 'from'>;

/** Hands an event of a client's own to the services. @throws Failure UNAVAILABLE where it could not be stored */
export const clientEvent = (bus: Bus, sender: Principal, details: Details<'event'>) =>
  tell(bus, 'event', sender, details);

/** Hands a message that is in no room to the services. @throws Failure UNAVAILABLE where it could not be stored */
export const clientMessage = (bus: Bus, sender: Principal, details: Details<'message'>) =>
  tell(bus, 'message', sender, details);

async function tell(bus: Bus, event: EventName<'client'>, sender: Principal, details: object) {
  const eventId = randomUUID();
  const timestamp = new Date().toISOString();
  const body = {
    domain: 'client',
    event,
    entity: sender.id,
    details: { ...details, from: userOf(sender) },
    at: timestamp,
  };
  try {
    await bus.emit({ id: eventId, hearers: { kind: 'services' }, body });
  } catch (cause) {
    throw new Failure('UNAVAILABLE', 'What was sent could not be stored', { cause });
  }
  return { eventId, timestamp };
}
