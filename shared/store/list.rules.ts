import type { CollectionSpec, Filter, ListQuery, Stored } from './collection.ts';
import type { StoredDocument } from './record.rules.ts';

/** How records are compared, found and ordered. The file store runs these; the MongoDB store asks for the same. */
export type Order = readonly (readonly [key: string, direction: 1 | -1])[];
type Operator = '$in' | '$lt' | '$gt';
export type Condition = { operator: Operator | '$eq'; value: unknown };

export const MAX_FOUND = 1_000;

/**
 * `sortBy`, then newest first, then id: a total order, so that pages never overlap. `id` is written `_id`.
 * @throws RangeError a key that is not sortable
 */
export function orderOf<T extends Stored>(spec: CollectionSpec<T>, sortBy: ListQuery['sortBy']): Order {
  const order = new Map<string, 1 | -1>();
  for (const { key, order: direction } of sortBy) {
    if (!spec.sortable.some((sortable) => sortable === key))
      throw new RangeError(`${spec.name} has no order by ${key}`);
    const path = key === 'id' ? '_id' : key;
    if (!order.has(path)) order.set(path, direction === 'asc' ? 1 : -1);
  }
  if (!order.has('createdAt')) order.set('createdAt', -1);
  if (!order.has('_id')) order.set('_id', 1);
  return [...order];
}

/** @throws RangeError outside of 1 to 1000 */
export function checkLimit(limit: number): number {
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_FOUND) throw new RangeError(`a limit of ${limit}`);
  return limit;
}

/**
 * One value of a filter as a condition. Only an object with exactly one key that is an operator is one; any other
 * object is a value to equal, so that none from outside turns into an operator.
 * @throws TypeError an undefined value: left out it would match everything
 */
export function conditionOf(key: string, value: unknown): Condition {
  if (value === undefined) throw new TypeError(`a filter's ${key} is undefined`);
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    const [operator, ...more] = Object.keys(value);
    if (more.length === 0 && (operator === '$in' || operator === '$lt' || operator === '$gt')) {
      return { operator, value: (value as Record<Operator, unknown>)[operator] };
    }
  }
  return { operator: '$eq', value };
}

/** Whether a document meets a filter, as MongoDB reads it: null also means absent, `$lt` and `$gt` compare one type. */
export function matches<T extends Stored>(document: StoredDocument, filter: Filter<T>): boolean {
  for (const [key, value] of Object.entries(filter)) {
    if (key === '$or') {
      if (!(value as readonly Filter<T>[]).some((part) => matches(document, part))) return false;
    } else if (!meets(document[key === 'id' ? '_id' : key], conditionOf(key, value))) return false;
  }
  return true;
}

function meets(stored: unknown, { operator, value }: Condition): boolean {
  if (operator === '$in')
    return (value as readonly unknown[]).some((one) => meets(stored, { operator: '$eq', value: one }));
  if (Array.isArray(stored) && !Array.isArray(value)) return stored.some((item) => compare(item, operator, value));
  return compare(stored, operator, value);
}

function compare(stored: unknown, operator: Condition['operator'], value: unknown): boolean {
  if (operator === '$eq') return sameValue(stored ?? null, value);
  if (value === null || typeof stored !== typeof value) return false;
  return operator === '$lt' ? compareValues(stored, value) < 0 : compareValues(stored, value) > 0;
}

function sameValue(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  return typeof a === 'object' && typeof b === 'object' && JSON.stringify(a) === JSON.stringify(b);
}

/** Absent and null first, then numbers, strings, anything else, booleans: MongoDB's order of types. */
export function compareValues(a: unknown, b: unknown): number {
  if (typeof a === 'string' && typeof b === 'string') return a < b ? -1 : a > b ? 1 : 0;
  const types = typeRank(a) - typeRank(b);
  if (types !== 0 || a === b || a === null || a === undefined) return types;
  return (a as number) < (b as number) ? -1 : (a as number) > (b as number) ? 1 : 0;
}

function typeRank(value: unknown): number {
  if (value === null || value === undefined) return 0;
  return { number: 1, string: 2, boolean: 4 }[typeof value as string] ?? 3;
}

export function comparator(order: Order): (a: StoredDocument, b: StoredDocument) => number {
  return (a, b) => {
    for (const [key, direction] of order) {
      const result = compareValues(a[key], b[key]);
      if (result !== 0) return result * direction;
    }
    return 0;
  };
}

/** What search compares: text in lower case, every item of an array; null for what cannot be searched. */
export function folded(value: unknown): string | string[] | null {
  if (typeof value === 'string') return value.toLowerCase();
  if (typeof value === 'number') return String(value);
  if (Array.isArray(value)) return value.filter((item) => typeof item === 'string').map((item) => item.toLowerCase());
  return null;
}

/** A test for what `search` finds; null where there is nothing to search for. */
export function searcher<T extends Stored>(
  spec: CollectionSpec<T>,
  search: string | null,
): ((document: StoredDocument) => boolean) | null {
  if (!search) return null;
  const { keys, match } = spec.search ?? { keys: [], match: 'prefix' as const };
  const needle = search.toLowerCase();
  const hit = (text: string) => (match === 'prefix' ? text.startsWith(needle) : text.includes(needle));
  return (document) =>
    keys.some((key) => {
      const text = folded(document[key]);
      return text !== null && (typeof text === 'string' ? hit(text) : text.some(hit));
    });
}
