import type { Json } from './schemas.ts';

/** `camerasRecord` → `CamerasRecord`. */
export const typeName = (name: string): string => name.charAt(0).toUpperCase() + name.slice(1);

/**
 * A JSON Schema as a TypeScript type: its shape, without bounds and patterns. References become names of types.
 * @throws Error for a schema this does not know, so that none is silently `unknown`
 */
export function typeOf(schema: Json, indent = ''): string {
  const { $ref, anyOf, type } = schema;
  if (typeof $ref === 'string') return typeName($ref.slice($ref.lastIndexOf('/') + 1));
  if ('const' in schema) return literal(schema.const);
  if (Array.isArray(schema.enum)) return schema.enum.map(literal).join(' | ');
  if (Array.isArray(anyOf)) return union(anyOf.map((option: Json) => typeOf(option, indent)));
  if (Array.isArray(type)) return union(type.map((one) => typeOf({ ...schema, type: one }, indent)));
  if (type === 'object') return objectType(schema, indent);
  if (type === 'array') return arrayType(schema.items as Json, indent);
  if (type === 'integer') return 'number';
  if (type === 'string' || type === 'number' || type === 'boolean' || type === 'null') return type;
  if (Object.keys(schema).length === 0) return 'unknown';
  throw new Error(`no type for ${JSON.stringify(schema)}`);
}

const literal = (value: unknown): string =>
  typeof value === 'string' ? `'${value.replace(/[\\']/g, '\\$&')}'` : JSON.stringify(value);

/** Without repetition, and without the texts that `string` holds already. */
function union(types: string[]): string {
  const all = types.includes('string') ? types.filter((type) => !type.startsWith("'")) : types;
  return [...new Set(all)].join(' | ');
}

function arrayType(items: Json, indent: string): string {
  const item = typeOf(items, indent);
  return /^\w+$/.test(item) ? `${item}[]` : `Array<${item}>`;
}

/** `{ … }` over several lines, or an index signature. */
export function objectType({ properties, required, additionalProperties }: Json, indent = ''): string {
  const entries = Object.entries((properties ?? {}) as Record<string, Json>);
  if (entries.length === 0) {
    const value = typeof additionalProperties === 'object' ? typeOf(additionalProperties as Json, indent) : 'never';
    return `{ [key: string]: ${value} }`;
  }
  const must = (required ?? []) as string[];
  const lines = entries.map(([key, value]) => {
    const name = /^[A-Za-z_$][\w$]*$/.test(key) ? key : literal(key);
    return `${indent}  ${name}${must.includes(key) ? '' : '?'}: ${typeOf(value, `${indent}  `)};`;
  });
  return ['{', ...lines, `${indent}}`].join('\n');
}
