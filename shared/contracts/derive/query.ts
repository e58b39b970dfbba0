import { z } from 'zod';

interface Shape {
  type?: string;
  anyOf?: Shape[];
  properties?: Record<string, Shape>;
  items?: Shape;
}

/** One entry per command of the contracts, so it needs no other bound. */
const shapes = new WeakMap<z.ZodObject, Shape>();

/**
 * The strings of a query as values a payload's schema knows: numbers, booleans, null, and JSON text for arrays and
 * objects. What does not fit stays as it is, so that validation says what is wrong with it; unknown keys stay.
 */
export function queryPayload(schema: z.ZodObject, raw: Record<string, unknown>): Record<string, unknown> {
  const shape = shapes.get(schema) ?? (z.toJSONSchema(schema, { io: 'input' }) as Shape);
  shapes.set(schema, shape);
  return convert(shape, raw) as Record<string, unknown>;
}

/** As deep as the schema goes, which is bounded. */
function convert(shape: Shape | undefined, value: unknown): unknown {
  if (!shape) return value;
  if (Array.isArray(value)) return value.map((item) => convert(ofType(shape, 'array')?.items, item));
  if (typeof value === 'object' && value !== null) {
    const properties = ofType(shape, 'object')?.properties ?? {};
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [
        key,
        convert(Object.hasOwn(properties, key) ? properties[key] : undefined, item),
      ]),
    );
  }
  return typeof value === 'string' ? fromText(shape, value) : value;
}

function fromText(shape: Shape, text: string): unknown {
  const takes = (type: string) => ofType(shape, type) !== undefined;
  if ((takes('integer') || takes('number')) && text !== '' && Number.isFinite(Number(text))) return Number(text);
  if (takes('boolean') && (text === 'true' || text === 'false')) return text === 'true';
  if (takes('array') || takes('object')) return fromJson(text);
  if (takes('null') && (text === 'null' || text === '')) return null;
  return text;
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const ofType = (shape: Shape, type: string): Shape | undefined =>
  shape.type === type ? shape : shape.anyOf?.find((one) => one.type === type);
