import type { z } from 'zod';

/** Levels of a payload that are looked at; deeper values stay as they came. */
const maxDepth = 8;
/** Characters of a text that is read as JSON; Node.js takes no longer request line with default settings. */
const maxJson = 16_384;

/** What the walk needs to know of zod's schemas: https://zod.dev/packages/core, "Internals". */
interface Def {
  type: string;
  innerType?: Schema;
  in?: Schema;
  element?: Schema;
  valueType?: Schema;
  shape?: Record<string, Schema>;
  options?: readonly Schema[];
  values?: readonly unknown[];
  entries?: Record<string, unknown>;
  getter?: () => Schema;
}
interface Schema {
  _zod: { def: Def };
  safeParse(value: unknown): { success: boolean };
}

/**
 * A query string, parsed by qs into texts, arrays and objects, as a payload: where the schema has a number, a boolean,
 * null, an array or an object, a text that is the JSON of one becomes that. Everything else, unknown keys too, stays
 * as it came, for validation to report. The argument is not changed.
 */
export function queryPayload(schema: z.ZodObject, query: Record<string, unknown>): Record<string, unknown> {
  return convert(schema as unknown as Schema, query, 0) as Record<string, unknown>;
}

type Convert = (def: Def, value: unknown, depth: number) => unknown;

const inner: Convert = ({ innerType }, value, depth) => (innerType ? convert(innerType, value, depth + 1) : value);

/** Also where a text would do: `search=null` is how browsers spell {search: null}. */
const toNullable: Convert = ({ innerType }, value, depth) =>
  value === 'null' ? null : innerType ? convert(innerType, value, depth + 1) : value;

const conversions: Readonly<Record<string, Convert>> = {
  optional: inner,
  default: inner,
  prefault: inner,
  nonoptional: inner,
  readonly: inner,
  catch: inner,
  nullable: toNullable,
  lazy: ({ getter }, value, depth) => (getter ? convert(getter(), value, depth + 1) : value),
  pipe: (def, value, depth) => (def.in ? convert(def.in, value, depth + 1) : value),
  number: (_def, value) => toNumber(value),
  boolean: (_def, value) => (value === 'true' ? true : value === 'false' ? false : value),
  null: (_def, value) => (value === 'null' ? null : value),
  literal: ({ values = [] }, value) => toMember(values, value),
  enum: ({ entries = {} }, value) => toMember(Object.values(entries), value),
  union: toOption,
  array: toArray,
  object: toObject,
  record: toObject,
};

function convert(schema: Schema, value: unknown, depth: number): unknown {
  const { def } = schema._zod;
  const conversion = Object.hasOwn(conversions, def.type) ? conversions[def.type] : undefined;
  return conversion && depth < maxDepth ? conversion(def, value, depth) : value;
}

/** As JSON spells numbers, so that `1e999`, ` 1`, `0x1` and an empty text are reported and not guessed at. */
function toNumber(value: unknown): unknown {
  if (typeof value !== 'string' || !/^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(value)) return value;
  const number = Number(value);
  return Number.isFinite(number) ? number : value;
}

function toMember(members: readonly unknown[], value: unknown): unknown {
  if (typeof value !== 'string' || members.includes(value)) return value;
  return members.find((member) => String(member) === value) ?? value;
}

function toOption({ options = [] }: Def, value: unknown, depth: number): unknown {
  for (const option of options) {
    const converted = convert(option, value, depth + 1);
    if (option.safeParse(converted).success) return converted;
  }
  return value;
}

function toArray({ element }: Def, value: unknown, depth: number): unknown {
  const list = fromJson(value, '[');
  // What came as JSON has its types already.
  if (list !== value || !Array.isArray(list) || !element) return list;
  return list.map((item) => convert(element, item, depth + 1));
}

function toObject({ shape, valueType }: Def, value: unknown, depth: number): unknown {
  const object = fromJson(value, '{');
  if (object !== value || typeof object !== 'object' || object === null || Array.isArray(object)) return object;
  // fromEntries defines keys; assignment would run the setter of `__proto__`.
  return Object.fromEntries(
    Object.entries(object).map(([key, item]) => {
      const schema = shape && Object.hasOwn(shape, key) ? shape[key] : valueType;
      return [key, schema ? convert(schema, item, depth + 1) : item];
    }),
  );
}

function fromJson(value: unknown, begins: '[' | '{'): unknown {
  if (typeof value !== 'string' || value.length > maxJson || !value.trimStart().startsWith(begins)) return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}
