import { type Commands, repeatable } from './api.generated.ts';
import { TrigateError, toldError } from './error.ts';
import { type SocketDriver, whenConnected } from './socket.driver.ts';

export type CommandName = keyof Commands;
export type CommandResult<N extends CommandName> = Commands[N]['result'];

export interface CallOptions {
  /** Milliseconds until the call is given up, waiting for a connection included. */
  timeoutMs?: number;
}

/** Parameters may be left out where none is needed. */
export type CallArguments<N extends CommandName> =
  Record<string, never> extends Commands[N]['params']
    ? [params?: Commands[N]['params'], options?: CallOptions]
    : [params: Commands[N]['params'], options?: CallOptions];

/** `call('cameras.read', {entity})` resolves to the result of the command. @throws TrigateError */
export type Call = <N extends CommandName>(name: N, ...rest: CallArguments<N>) => Promise<CommandResult<N>>;

/** Longer than the 10 s after which Trigate itself answers TIMEOUT. */
export const defaultCallMs = 12_000;
const maxOpen = 1_000;

export interface CallParams {
  entity?: string;
  payload?: unknown;
}

/** `cameras.list` → its module and command. */
export function splitName(name: string): { module: string; command: string } {
  const dot = name.indexOf('.');
  return { module: name.slice(0, dot), command: name.slice(dot + 1) };
}

/**
 * Commands over the `request` dialect. One that was cut off is sent again after a reconnect where twice does what once
 * does; any other rejects with DISCONNECTED.
 */
export function socketCalls(driver: SocketDriver, timeoutMs = defaultCallMs): Call {
  const prefix = Math.random().toString(36).slice(2, 10);
  let open = 0;
  let count = 0;

  async function attempt(name: string, params: CallParams, limitMs: number, deadline: number): Promise<unknown> {
    await whenConnected(driver, deadline - Date.now());
    count += 1;
    const requestId = `${prefix}-${count}`;
    const left = Math.max(1, deadline - Date.now());
    const request = { ...splitName(name), requestId, ...params };
    let answer: unknown;
    try {
      // Rejects when the time is over, and when the connection ends.
      answer = await driver.socket.timeout(left).emitWithAck('request', request);
    } catch (cause) {
      if (Date.now() >= deadline) throw new TrigateError('TIMEOUT', `No answer within ${limitMs} ms`, { requestId });
      throw unanswered(driver, { requestId, cause });
    }
    return readAnswer(answer, requestId);
  }

  async function run(name: string, params: CallParams, limitMs: number): Promise<unknown> {
    const deadline = Date.now() + limitMs;
    for (;;) {
      try {
        return await attempt(name, params, limitMs, deadline);
      } catch (error) {
        const cut = (error as TrigateError).code === 'DISCONNECTED';
        if (!cut || !repeatable.has(name)) throw error;
      }
    }
  }

  return async (name, ...[params, options]) => {
    if (open >= maxOpen) throw new TrigateError('LIMIT_EXCEEDED', `${maxOpen} calls of this client are open`);
    open += 1;
    try {
      return (await run(name, params ?? {}, options?.timeoutMs ?? timeoutMs)) as never;
    } finally {
      open -= 1;
    }
  };
}

/** Why there will be no answer though there was time: the connection ended, or nothing could be sent over it. */
function unanswered({ socket, status }: SocketDriver, more: { requestId: string; cause: unknown }): TrigateError {
  if (socket.connected) return new TrigateError('INVALID_REQUEST', 'The parameters cannot be sent', more);
  if (status.error?.code === 'CLOSED') return new TrigateError('CLOSED', status.error.message, more);
  return new TrigateError('DISCONNECTED', 'The connection ended before the answer', more);
}

/** The result, or what failed: `{error, requestId}`; told by the requestId. */
function readAnswer(answer: unknown, requestId: string): unknown {
  const failed = typeof answer === 'object' && answer !== null && 'error' in answer && 'requestId' in answer;
  if (failed && answer.requestId === requestId) {
    throw toldError(answer.error, 'INTERNAL_SERVER_ERROR', { requestId });
  }
  return answer ?? undefined;
}
