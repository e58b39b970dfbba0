export type * from './api.generated.ts';
export type { Call, CallArguments, CallOptions, CommandName, CommandResult } from './calls.ts';
export {
  type ClientOptions,
  createClient,
  type EventName,
  type EventOf,
  type ServiceEventName,
  type TrigateClient,
} from './client.ts';
export { type ErrorDetail, TrigateError, type TrigateErrorCode } from './error.ts';
export { type EventDataClientConfig, EventDataClientInstance } from './event-data.client.ts';
export { createHttpClient, type HttpClientOptions } from './http.client.ts';
export type { HttpDriverOptions } from './http.driver.types.ts';
export type { ReconnectOptions } from './reconnect.rules.ts';
export { SocketDriver, type SocketDriverOptions } from './socket.driver.ts';
export type { ConnectionState, ConnectionStatus, StatusHandler } from './status.ts';
export type { Token } from './token.ts';
