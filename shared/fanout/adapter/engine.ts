/** The parts of Engine.IO 6.6, Socket.IO 4.8 and ws 8 that the adapter touches beside their public types. */

export interface Transport {
  name: string;
  writable: boolean;
  perMessageDeflate?: unknown;
  /** A WebSocket of `ws`, where the transport is one. */
  socket?: { readyState: number; _sender?: { sendFrame?: unknown }; _socket?: RawSocket; terminate?(): void };
}

export interface RawSocket {
  writableLength: number;
  bytesWritten: number;
  write(data: Buffer): boolean;
  _handle?: { writeQueueSize: number } | null;
}

export interface WriteOptions {
  compress?: boolean | undefined;
  volatile?: boolean | undefined;
  wsPreEncodedFrame?: Buffer[];
}

/** One Engine.IO connection. */
export interface Connection {
  readyState: string;
  upgrading: boolean;
  transport: Transport;
  writeBuffer: unknown[];
  write(data: string | Buffer, options?: WriteOptions): unknown;
  close(discard?: boolean): void;
  on(event: string, listener: (...args: never[]) => void): unknown;
  listenerCount(event: string): number;
  server: { listenerCount(event: string): number };
}

export interface Client {
  conn: Connection;
  request: unknown;
}

/** A Socket.IO socket, as the adapter of its namespace sees it. */
export interface AdapterSocket {
  id: string;
  pid?: string;
  data: unknown;
  client: Client;
  _anyOutgoingListeners?: unknown[];
  notifyOutgoingListeners?(packet: { data: unknown }): void;
  disconnect(close?: boolean): unknown;
}
