import type { EventEnvelope } from '../../shared/fanout/bus.ts';
import type { Principal } from '../../shared/runtime/principal.ts';

/**
 * What the gateway needs of a broker. An external one (`external.broker.ts`) and our own (`embedded.broker.ts`)
 * implement it.
 */

export type QoS = 0 | 1 | 2;

/** Requests of one kind that wait for others of it, and their bytes. */
export const maxWaiting = 1_000;
export const maxWaitingBytes = 16_777_216;

/** The one client an answer is for, where the broker knows who published: its connection, or its kept session. */
export interface Asker {
  readonly id: string;
  /** Who logged in at CONNECT. */
  readonly principal: Principal;
}

/** MQTT 5 properties of a request (3.3.2.3). */
export interface RequestProperties {
  readonly responseTopic?: string;
  readonly correlationData?: Buffer;
  readonly contentType?: string;
  /** Unix milliseconds after which nobody waits for the answer. */
  readonly expiresAt?: number;
}

export interface Incoming {
  readonly payload: Buffer;
  readonly qos: QoS;
  readonly properties: RequestProperties;
  readonly asker?: Asker;
  /** Too many wait already: it is to be answered so, not to be run. */
  readonly overloaded?: true;
}

export interface Outgoing {
  readonly topic: string;
  /** Empty: a message without a payload. */
  readonly payload: string | Buffer;
  readonly correlationData?: Buffer;
  readonly contentType?: string;
  /** Seconds, at least 1. */
  readonly expiry?: number;
}

/**
 * Called once per request, never with more at a time than the broker was told, but for as many overloaded ones; never
 * rejects. When it resolves, the request has its answer or is in the gateway's own hands.
 */
export type RequestHandler = (incoming: Incoming) => Promise<void>;

export interface BrokerClient {
  /** Takes requests from now on. Resolves when it does, or after a few seconds while it goes on trying. */
  serve(handler: RequestHandler): Promise<void>;
  /** Resolves when the broker has the answer (QoS of the request). @throws Error */
  reply(to: Incoming, answer: Outgoing): Promise<void>;
  /** One event on its topics, QoS 1, not retained; resolves when the broker acknowledged all. @throws Error */
  publish(topics: readonly string[], payload: string, envelope: EventEnvelope): Promise<void>;
  /** Takes no more requests and resolves when those it took are answered, or after the given milliseconds. */
  drain(withinMs: number): Promise<void>;
  healthy(): boolean;
  close(): Promise<void>;
}
