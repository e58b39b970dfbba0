/**
 * What gateways and presence tell each other, as notices of the bus. A gateway numbers its changes; who misses one
 * sees the gap in the next heartbeat and asks for everything.
 */
export const presenceTopics = {
  change: 'presence.change',
  heartbeat: 'presence.heartbeat',
  ask: 'presence.ask',
  snapshot: 'presence.snapshot',
} as const;

export interface PresentSession {
  id: string;
  protocol: 'socketio' | 'mqtt';
  user: { id: string; username: string; email: string | null };
  /** ISO 8601, UTC. */
  since: string;
}

export interface PresenceChange {
  gateway: string;
  /** Counts the changes of a gateway, from 1. */
  sequence: number;
  joined?: PresentSession;
  left?: string;
}

export interface PresenceHeartbeat {
  gateway: string;
  sequence: number;
}

/** Absent gateway: every gateway is asked. */
export interface PresenceAsk {
  gateway?: string;
}

export interface PresenceSnapshot {
  gateway: string;
  sequence: number;
  sessions: PresentSession[];
}

/** Milliseconds between heartbeats, and after which a silent gateway's sessions are taken out. */
export const heartbeatEveryMs = 1_000;
export const gatewayLeaseMs = 4_500;
