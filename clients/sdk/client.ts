import type { Socket } from 'socket.io-client';
import type { ServiceEvents } from './api.generated.ts';
import { type Call, socketCalls } from './calls.ts';
import { SocketDriver, type SocketDriverOptions } from './socket.driver.ts';
import type { ConnectionStatus, StatusHandler } from './status.ts';

export type ServiceEventName = keyof ServiceEvents;
type Domain<N> = N extends `${infer D}:${string}` ? D : never;

/** `camera:created`, or `camera:*` for every event of cameras. */
export type EventName = ServiceEventName | `${Domain<ServiceEventName>}:*`;

/** What a handler of that name is given; any other name is one that an HTTP push or a dialect uses. */
export type EventOf<N extends string> = N extends ServiceEventName
  ? ServiceEvents[N]
  : N extends `${infer D}:*`
    ? { [K in ServiceEventName]: K extends `${D}:${string}` ? ServiceEvents[K] : never }[ServiceEventName]
    : // biome-ignore lint/suspicious/noExplicitAny: whoever pushes such an event says what is in it
      any;

export interface ClientOptions extends SocketDriverOptions {
  /** Milliseconds until a call is given up; default 12,000. */
  timeoutMs?: number | undefined;
}

export interface TrigateClient {
  readonly call: Call;
  /** Hears an event. Returns what ends that. */
  on<N extends EventName | (string & {})>(name: N, handler: (event: EventOf<N>) => void): () => void;
  readonly status: ConnectionStatus;
  /** Hears every change of the status. Returns what ends that. */
  onStatus(handler: StatusHandler): () => void;
  /** The connection itself, for `room:join`, `send_message` and the like. */
  readonly socket: Socket;
  /** Ends the connection; open calls reject with CLOSED. */
  close(): void;
}

/** A client over Socket.IO; it begins to connect at once, and calls wait for the connection. */
export function createClient({ timeoutMs, ...options }: ClientOptions): TrigateClient {
  const driver = new SocketDriver(options).connect();
  const { socket } = driver;
  return {
    call: socketCalls(driver, timeoutMs),
    on(name, handler) {
      socket.on(name as string, handler);
      return () => void socket.off(name as string, handler);
    },
    get status() {
      return driver.status;
    },
    onStatus: (handler) => driver.onStatus(handler),
    socket,
    close: () => driver.close(),
  };
}
