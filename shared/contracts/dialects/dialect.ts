import { z } from 'zod';
import { line } from '../fields.ts';
import { roomName } from '../rooms.contract.ts';

/** An event a client sends. */
export interface ReceivedEvent {
  readonly summary: string;
  /** Of the first argument; one that may be left out takes an empty object. */
  readonly payload: z.ZodObject;
  /** The event that answers it, also the body of an acknowledgement; absent: only acknowledged. */
  readonly answer?: string;
}

/** An event a client gets. `data` absent: the sender of a push decides what is in it. */
export interface SentEvent {
  readonly summary: string;
  readonly data?: z.ZodType;
}

/** How one family of Socket.IO clients speaks, beside the commands: validation and AsyncAPI are made of it. */
export interface DialectContract {
  readonly dialect: string;
  readonly summary: string;
  readonly receives: Readonly<Record<string, ReceivedEvent>>;
  readonly sends: Readonly<Record<string, SentEvent>>;
}

/** Keeps literal types. */
export const dialect = <const D extends DialectContract>(contract: D): D => contract;

export const userFields = z.object({ id: z.string(), username: z.string(), email: z.string().nullable() });

/** Ids given as numbers are read as strings. */
export const userId = z.union([z.string().min(1).max(128), z.int()]);

export const ofRoom = z.strictObject({ room: roomName });

/** An own id for the request, which its answer repeats. */
export const requestId = line(128);

/** Any JSON object. */
export const anyObject = z.record(z.string(), z.unknown());
