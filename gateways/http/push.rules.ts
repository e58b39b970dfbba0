import { isRole } from '../../shared/contracts/fields.ts';
import { Failure } from '../../shared/contracts/index.ts';
import { eventName, userId } from '../../shared/contracts/push.contract.ts';
import type { Audience } from '../../shared/fanout/fanout.ts';

const everyone: Audience = { kind: 'everyone' };

/** A name stands for the room, and where it is a role's for those who hold the role too. */
const audiencesOf = (name: string): Audience[] =>
  isRole(name)
    ? [
        { kind: 'room', name },
        { kind: 'role', role: name },
      ]
    : [{ kind: 'room', name }];

/**
 * Who hears what is posted to `/<eventName>`: the rooms and roles named and the user `payload.own`, without either
 * everyone. Nothing that was meant for some becomes everyone's by mistake: no names, and an `own` that is no id, are
 * refused.
 * @throws Failure INVALID_REQUEST
 */
export function bridgeAudiences(payload: unknown, rooms: readonly string[] | undefined): Audience[] {
  const own = ownerOf(payload);
  if (rooms?.length === 0 && own === undefined) {
    throw refused('"rooms" is empty: name one, or leave it out for everyone', ['payload', 'rooms']);
  }
  const named = [...new Set(rooms)].flatMap(audiencesOf);
  const audiences: Audience[] = own === undefined ? named : [...named, { kind: 'user', id: own }];
  return audiences.length === 0 ? [everyone] : audiences;
}

function ownerOf(payload: unknown): string | undefined {
  if (typeof payload !== 'object' || payload === null || !Object.hasOwn(payload, 'own')) return undefined;
  const own = userId.safeParse((payload as { own: unknown }).own);
  if (!own.success) throw refused('"payload.own" must be the id of a user', ['payload', 'payload', 'own']);
  return String(own.data);
}

/** What is pushed; a `system:notification` says when it was sent, where its sender does not. */
export function dated(event: string, data: unknown, now: string): unknown {
  if (event !== 'system:notification' || typeof data !== 'object' || data === null || Array.isArray(data)) return data;
  return { timestamp: now, ...data };
}

/** @throws Failure INVALID_REQUEST for a name that is reserved or too long */
export function assertEventName(name: string): void {
  const parsed = eventName.safeParse(name);
  if (!parsed.success) throw refused(`The event: ${parsed.error.issues[0]?.message}`, ['entity']);
}

const refused = (message: string, path: string[]) =>
  new Failure('INVALID_REQUEST', message, { details: [{ message, path }] });
