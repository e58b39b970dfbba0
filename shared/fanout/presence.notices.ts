/**
 * What gateways and presence replicas tell each other, as notices of the bus. A gateway numbers its changes; a replica
 * that missed one sees that in the next change or heartbeat and asks that gateway for all of its sessions.
 */
export const presenceTopics = {
  change: 'presence.change',
  heartbeat: 'presence.heartbeat',
  ask: 'presence.ask',
  beat: 'presence.beat',
  seen: 'presence.seen',
  /** Only the replica that asked hears the answer. */
  snapshot: (replica: string): string => `presence.snapshot.${replica}`,
} as const;

export interface PresentUser {
  id: string;
  username: string;
  email: string | null;
}

export interface PresentSession {
  id: string;
  protocol: 'socketio' | 'mqtt';
  user: PresentUser;
  /** ISO 8601, UTC. */
  since: string;
}

/** Rooms are told only where PRESENCE_BROADCAST is `rooms`. */
export type SessionChange =
  | { joined: PresentSession }
  | { left: string }
  | { id: string; entered?: string[]; exited?: string[] };

export interface PresenceChange {
  gateway: string;
  /** Counts the messages of changes of a gateway, from 1. */
  sequence: number;
  changes: SessionChange[];
  /** The gateway ends: none of its sessions is left. */
  ended?: true;
}

/** A digest: who has the same number of changes knows the same sessions. */
export interface PresenceHeartbeat {
  gateway: string;
  sequence: number;
  sessions: number;
}

/** Absent gateway: every gateway is asked. */
export interface PresenceAsk {
  replica: string;
  gateway?: string;
}

/** Every session of a gateway as of a sequence, in parts. Changes that come between the parts have later numbers. */
export interface PresenceSnapshot {
  gateway: string;
  sequence: number;
  /** From 0. */
  part: number;
  last: boolean;
  changes: SessionChange[];
}

/** Of a replica, heard by all of them and by itself. */
export interface PresenceBeat {
  replica: string;
  /** Milliseconds of the sender's own clock. */
  at: number;
  /** Whether it knows enough to tell edges. */
  ready: boolean;
  leaving?: true;
}

/** With PRESENCE_BROADCAST=rooms: a user who is online was seen in rooms for the first time. */
export interface PresenceSeen {
  user: PresentUser;
  rooms: string[];
  /** ISO 8601, UTC. */
  at: string;
}

/** Milliseconds between heartbeats, and after which a silent gateway's sessions are taken out: 5 s less what telling takes. */
export const heartbeatEveryMs = 500;
export const gatewayLeaseMs = 4_300;
/** Of one message; NATS takes 1 MB. */
export const maxMessageBytes = 750_000;
/** What contracts take for an id; who has a longer one is not counted. */
export const maxUserId = 256;
/** Longer names, which only other people's tokens can hold, are cut. */
export const maxUserName = 255;
export const maxRoomsPerSession = 1_000;
/** Room names in one change. */
export const maxRoomsPerChange = 100;

const lengthOf = (texts: readonly string[] = []): number => texts.reduce((sum, text) => sum + text.length + 1, 0);

/** The most bytes a change can take as JSON: six for each unit of UTF-16 where it has to be escaped. */
export function bytesOf(change: SessionChange): number {
  if ('left' in change) return 30 + 6 * change.left.length;
  if (!('joined' in change)) return 60 + 6 * (change.id.length + lengthOf(change.entered) + lengthOf(change.exited));
  const { id, user } = change.joined;
  return 200 + 6 * (id.length + user.id.length + user.username.length + (user.email?.length ?? 0));
}
