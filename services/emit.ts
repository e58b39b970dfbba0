import { randomUUID } from 'node:crypto';
import { contracts, type EventAudience, Failure, type ServiceContract } from '../shared/contracts/index.ts';
import type { Bus, EventHearers } from '../shared/fanout/bus.ts';
import type { Emit } from './deps.ts';

const audiences = new Map<string, EventAudience>(
  (contracts as readonly ServiceContract[]).flatMap((contract) =>
    Object.entries(contract.events ?? {}).flatMap(([domain, events]) =>
      Object.entries(events).map(([event, { audience }]) => [`${domain}.${event}`, audience] as const),
    ),
  ),
);

function hearersOf(name: string, named: readonly string[] | null | undefined): EventHearers {
  const audience = audiences.get(name);
  if (!audience) throw new Error(`no contract for the event ${name}`);
  if (audience !== 'named') return { kind: audience };
  return named ? { kind: 'named', users: [...named] } : { kind: 'users' };
}

export function emitter(bus: Bus): Emit {
  return async (domain, event, entity, details, named, id = randomUUID()) => {
    const hearers = hearersOf(`${domain}.${event}`, named);
    const body = { domain, event, entity, details: details as Record<string, unknown>, at: new Date().toISOString() };
    try {
      await bus.emit({ id, hearers, body });
    } catch (cause) {
      throw new Failure('UNAVAILABLE', 'The change was made, but its event could not be stored', { cause });
    }
  };
}
