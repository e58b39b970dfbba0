export type Protocol = 'http' | 'socketio' | 'mqtt';
export type Operation = 'read' | 'list';

/** What a load process is told. */
export interface LoadOptions {
  protocol: Protocol;
  operation: Operation;
  url: string;
  token: string;
  /** Ids of the cameras, which reads take in turn. */
  ids: readonly string[];
  connections: number;
  /** Requests under way at a time, over all connections. */
  inFlight: number;
  warmupMs: number;
  durationMs: number;
  /** Processes of the contender, whose CPU time is told with the result. */
  pids: readonly number[];
  /** Of the servers beside it: NATS, the MQTT broker. */
  helperPids: readonly number[];
  /** Whether requests carry the token because the broker, not the gateway, knows the client. */
  tokenInPayload: boolean;
}

/** What it answers with. */
export interface LoadResult {
  requestsPerSecond: number;
  /** Milliseconds. */
  p50: number;
  p99: number;
  requests: number;
  failures: number;
  /** CPU time of the contender's processes per request, in microseconds; null where the system does not tell. */
  cpuMicros: number | null;
  /** Share of the machine's CPU time (0 to 1) that went to processes that are no part of the bench; null likewise. */
  foreign: number | null;
}
