import { z } from 'zod';
import type { ErrorCode } from './errors.ts';

/** Who may call: `internal` is for services and gateways only and appears on no protocol. */
export type Access = 'anyone' | 'user' | 'admin' | 'internal';

/**
 * Who hears an event: every user, administrators only, those its emitter names (members of a private room), or
 * `services`: nobody outside, only processes that follow the bus.
 */
export type EventAudience = 'users' | 'admins' | 'named' | 'services';

export interface ActionContract {
  readonly summary: string;
  readonly access: Access;
  /** Absent: an entity is refused. */
  readonly entity?: 'required' | 'optional';
  /** Absent: a payload is refused. When every key of it is optional, the payload may be left out. */
  readonly payload?: z.ZodObject;
  /** `null`: the command answers nothing (HTTP 204). */
  readonly result: z.ZodType | null;
  /** HTTP status of success; default 200, 201 for `create`, 204 where the result is null. */
  readonly status?: number;
  /** Beside the common ones. */
  readonly errors?: readonly ErrorCode[];
  /** May be sent again when no answer came: reads, and writes that end in the same state. */
  readonly idempotent?: boolean;
  /**
   * An address of its own on HTTP; what stands in braces in the path is the entity. A `page` is for people: result
   * (`pageResult`) and errors are shown as HTML.
   */
  readonly http?: { readonly method: 'GET' | 'POST'; readonly path: string; readonly page?: true };
  /** The entity may be a text of up to 4,096 characters that holds slashes: over HTTP all that follows in the path. */
  readonly longEntity?: true;
  /** By API key only. */
  readonly by?: 'key';
  /** Holds free-form data that is passed on and not stored: its keys may begin with `$`. */
  readonly freeForm?: true;
  /** Calls of this action that run, and that wait, in one process; beyond them UNAVAILABLE. */
  readonly bulkhead?: { readonly concurrency: number; readonly maxQueueSize: number };
}

export interface EventContract {
  readonly summary: string;
  readonly audience: EventAudience;
  readonly details: z.ZodObject;
  /** Keys of the details, each nullable, that nobody hears who is not logged in, such as pictures: null instead. */
  readonly personal?: readonly string[];
}

export interface ModuleContract {
  readonly summary: string;
  readonly actions: Readonly<Record<string, ActionContract>>;
}

export interface ServiceContract {
  readonly service: string;
  readonly modules: Readonly<Record<string, ModuleContract>>;
  /** Keyed by domain, then by event. */
  readonly events?: Readonly<Record<string, Readonly<Record<string, EventContract>>>>;
}

/** Identity functions that keep literal types: without `const` the maps below lose them. */
export const action = <const A extends ActionContract>(contract: A): A => contract;
export const event = <const E extends EventContract>(contract: E): E => contract;
export const service = <const S extends ServiceContract>(contract: S): S => contract;

/** What a command that answers with a page answers. */
export const pageResult = z.object({ title: z.string(), text: z.string() });

const maxEntity = 256;
const maxLongEntity = 4_096;

/** Ids, names of rooms, anything after `/api/<module>/`. */
const entityText = z
  .string()
  .min(1)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  .regex(/^[^\u0000-\u001f\u007f]*$/, 'control characters are not allowed');
const entitySchema = entityText.max(maxEntity);
const longEntitySchema = entityText.max(maxLongEntity);
export const entitySchemaOf = ({ longEntity }: Pick<ActionContract, 'longEntity'>): z.ZodString =>
  longEntity ? longEntitySchema : entitySchema;

/** What a handler's `params` are: one strict object of entity and payload, so one parse checks both. */
export function paramsSchema(contract: ActionContract): z.ZodObject {
  const shape: Record<string, z.ZodType> = {};
  const entity = entitySchemaOf(contract);
  if (contract.entity === 'required') shape.entity = entity;
  if (contract.entity === 'optional') shape.entity = entity.optional();
  if (contract.payload) {
    const optional = contract.payload.safeParse({}).success;
    shape.payload = optional ? contract.payload.prefault({}) : contract.payload;
  }
  return z.strictObject(shape);
}

export const successStatus = (command: string, contract: ActionContract): number =>
  contract.status ?? (contract.result === null ? 204 : command === 'create' ? 201 : 200);

type EntityOf<A> = A extends { entity: 'required' }
  ? { entity: string }
  : A extends { entity: 'optional' }
    ? { entity?: string }
    : unknown;

/** What a caller passes (defaults not yet filled in). */
export type ParamsOf<A> = EntityOf<A> &
  (A extends { payload: infer P extends z.ZodObject }
    ? Record<string, never> extends z.input<P>
      ? { payload?: z.input<P> }
      : { payload: z.input<P> }
    : unknown);

/** What a handler receives (parsed). */
export type ParsedOf<A> = EntityOf<A> &
  (A extends { payload: infer P extends z.ZodObject } ? { payload: z.output<P> } : unknown);

export type ResultOf<A> = A extends { result: infer R } ? (R extends z.ZodType ? z.output<R> : undefined) : never;
