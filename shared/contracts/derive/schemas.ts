import { z } from 'zod';
import type { ServiceContract } from '../index.ts';
import { camelName, publicCommands } from './names.ts';

export type Json = Record<string, unknown>;

/** JSON Schemas of one document, each written once under `components/schemas` and referred to from then on. */
export interface SchemaBook {
  /** A reference to what a client may send. */
  input(name: string, schema: z.ZodType): Json;
  /** A reference to what a client gets; a record goes by its own name, whatever `name` says. */
  output(name: string, schema: z.ZodType): Json;
  /** Without an entry of its own. */
  inline(name: string, schema: z.ZodType): Json;
  readonly schemas: Record<string, Json>;
}

/** OpenAPI 3.1 speaks the draft of 2020-12, AsyncAPI 3.0 draft 7. */
export type Draft = 'draft-2020-12' | 'draft-7';

/** @throws Error for a schema that JSON Schema cannot say. */
export function schemaBook(contracts: readonly ServiceContract[], draft: Draft): SchemaBook {
  const schemas: Record<string, Json> = {};
  const records = recordsOf(contracts);
  const none = z.registry<{ id?: string }>();

  function write(name: string, schema: z.ZodType, io: 'input' | 'output'): Json {
    const metadata = io === 'output' ? records : none;
    const converted = z.toJSONSchema(schema, { io, target: draft, unrepresentable: 'throw', metadata, override: tidy });
    const { $schema, $defs, definitions, ...root } = JSON.parse(JSON.stringify(converted)) as Json;
    for (const [key, value] of Object.entries(($defs ?? definitions ?? {}) as Record<string, Json>)) {
      schemas[ownName(key, name)] ??= refer(value, name) as Json;
    }
    return refer(root, name) as Json;
  }
  function add(name: string, schema: z.ZodType, io: 'input' | 'output'): Json {
    const root = write(name, schema, io);
    schemas[name] ??= root;
    return { $ref: `${components}${name}` };
  }

  return {
    schemas,
    inline: (name, schema) => write(name, schema, 'input'),
    input: (name, schema) => add(name, schema, 'input'),
    output: (name, schema) => add(records.get(schema)?.id ?? name, schema, 'output'),
  };
}

const components = '#/components/schemas/';

/** zod numbers the parts of recursive schemas from 0 in every conversion. */
const ownName = (key: string, name: string): string => key.replace(/^__schema(\d+)$/, `${name}Part$1`);

/** Points references at the document's components; drops the ids, which are the names there. */
function refer(value: unknown, name: string): unknown {
  if (Array.isArray(value)) return value.map((item) => refer(item, name));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).flatMap(([key, item]) => entryOf(key, item, name)));
}

function entryOf(key: string, item: unknown, name: string): [string, unknown][] {
  // A property may be named id; its schema is no text.
  if (key === 'id' && typeof item === 'string') return [];
  if (key !== '$ref' || typeof item !== 'string') return [[key, refer(item, name)]];
  if (item === '#') return [[key, `${components}${name}`]];
  return [[key, `${components}${ownName(item.replace(/^#\/(\$defs|definitions)\//, ''), name)}`]];
}

/**
 * What the JSON says beyond use: bounds of exact integers, a page of pattern beside `format`. And results are open:
 * a client that refuses keys it does not know would break with the next release.
 */
function tidy({ zodSchema, jsonSchema }: { zodSchema: z.core.$ZodTypes; jsonSchema: z.core.JSONSchema.BaseSchema }) {
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
  if (jsonSchema.format === 'date-time' || jsonSchema.format === 'email') delete jsonSchema.pattern;
  if (zodSchema._zod.def.type === 'object' && !zodSchema._zod.def.catchall) delete jsonSchema.additionalProperties;
}

/** What lists hold, by schema: `camerasRecord`; other commands' items are `roomsHistoryItem`. */
function recordsOf(contracts: readonly ServiceContract[]): z.core.$ZodRegistry<{ id?: string }> {
  const records = z.registry<{ id?: string }>();
  for (const { module, command, contract } of publicCommands(contracts)) {
    const items = contract.result instanceof z.ZodObject ? contract.result.shape.items : undefined;
    const element = items instanceof z.ZodArray ? (items.element as z.ZodType) : undefined;
    if (!element || records.has(element)) continue;
    records.add(element, { id: command === 'list' ? camelName(module, 'record') : camelName(module, command, 'item') });
  }
  return records;
}
