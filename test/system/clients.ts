import type { Protocol } from '../../gateways/core/dispatch.types.ts';
import { httpClient } from './clients/http.client.ts';
import { mqttClient } from './clients/mqtt.client.ts';
import { socketioClient } from './clients/socketio.client.ts';

export type { Protocol };
export const protocols = ['http', 'socketio', 'mqtt'] as const satisfies readonly Protocol[];

/** A command as a client sends it; an id may be a number, as clients of NestMTX send it. */
export interface Ask {
  module: string;
  command: string;
  entity?: string | number;
  payload?: unknown;
}

export interface AnswerError {
  code: string;
  message: string;
  details?: { message: string; path: (string | number)[] }[];
  retryAfter?: number;
}

/** `ok` is null where a command answers nothing. */
export type Answer = { ok: unknown } | { error: AnswerError };

export interface Client {
  readonly protocol: Protocol;
  /**
   * Sends a command with a bearer, or without one (null).
   * @throws Error where the protocol's own rules are broken (status, envelope, addressing), or no answer comes in 15 s
   */
  request(ask: Ask, as: string | null): Promise<Answer>;
  close(): Promise<void>;
}

/** `url` is what clients of that protocol connect to. */
export function connectClient(protocol: Protocol, url: string): Client {
  switch (protocol) {
    case 'http':
      return httpClient(url);
    case 'socketio':
      return socketioClient(url);
    case 'mqtt':
      return mqttClient(url);
  }
}
