import { ErrorCode, NatsError } from 'nats';
import { pause } from './pause.ts';

/** Of the JetStream API: `err_code` of an answer. */
const noSuitablePeers = 10_005;
const notFound = [10_014, 10_059];

const lasting: readonly string[] = [
  ErrorCode.ConnectionClosed,
  ErrorCode.ConnectionDraining,
  ErrorCode.MaxPayloadExceeded,
  ErrorCode.BadSubject,
  ErrorCode.PermissionsViolation,
];

/** Whether the stream or the consumer that was asked for does not exist. */
export const isNotFound = (error: unknown): boolean =>
  error instanceof NatsError && notFound.includes(error.api_error?.err_code ?? 0);

/** Whether the same request may succeed a moment later: no server, no leader, no quorum, a message id in progress. */
export function isPassing(error: unknown): boolean {
  if (!(error instanceof NatsError)) return false;
  const { api_error: api } = error;
  if (api) return api.code >= 500 || api.code === 409 || api.code === 429 || api.err_code === noSuitablePeers;
  return !lasting.includes(error.code);
}

/** Runs the task again, with a pause, while it fails in a way that passes; at most `ms`, then throws its last error. */
export async function persist<T>(ms: number, task: (left: number) => Promise<T>): Promise<T> {
  const deadline = Date.now() + ms;
  for (;;) {
    try {
      return await task(Math.max(1, deadline - Date.now()));
    } catch (error) {
      if (!isPassing(error) || Date.now() >= deadline) throw error;
    }
    await pause(Math.min(100, Math.max(1, deadline - Date.now())), AbortSignal.timeout(1_000));
  }
}
