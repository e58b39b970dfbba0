/** Reads JSON bodies as the real server does: unknown fields and wrong kinds are refused with its words. Pure. */

export type Kind = 'string' | 'bool' | 'int' | 'float' | 'duration' | 'strings' | 'ints' | 'json' | Shape[];
export type Shape = { [field: string]: Kind };

const goTypes: Partial<Record<string, string>> = { duration: 'string', strings: '[]string', ints: '[]uint' };
const rawObject = 'map[string]json.RawMessage';

const kindOf = (value: unknown): string => {
  if (Array.isArray(value)) return 'array';
  return value !== null && typeof value === 'object' ? 'object' : typeof value === 'boolean' ? 'bool' : typeof value;
};

const mismatch = (value: unknown, type: string): Error => {
  const fraction = typeof value === 'number' && type === 'int' ? ` ${value}` : '';
  return new Error(`json: cannot unmarshal ${kindOf(value)}${fraction} into Go value of type ${type}`);
};

/** @throws Error with the words of the real server's parser, as near as the position tells */
export function parseJson(text: string): unknown {
  if (text.trim() === '') throw new Error('unexpected end of JSON input');
  try {
    return JSON.parse(text);
  } catch (error) {
    const { message } = error as Error;
    const at = /position (\d+)/.exec(message)?.[1];
    const character = at === undefined ? undefined : text[Number(at)];
    if (character === undefined || /Unexpected end|Unterminated/.test(message)) {
      throw new Error('unexpected end of JSON input');
    }
    const where = /property name/.test(message)
      ? 'looking for beginning of object key string'
      : /',' or '\}'/.test(message)
        ? 'after object key:value pair'
        : /',' or '\]'/.test(message)
          ? 'after array element'
          : 'looking for beginning of value';
    throw new Error(`invalid character '${character}' ${where}`);
  }
}

function decodeValue(value: unknown, kind: Kind, path: string): unknown {
  if (Array.isArray(kind)) {
    if (!Array.isArray(value)) throw mismatch(value, '[]json.RawMessage');
    return value.map((item, index) => decodeShape(item, kind[0] as Shape, `${path}[${index}]`));
  }
  const fits: Record<string, (given: unknown) => boolean> = {
    string: (given) => typeof given === 'string',
    duration: (given) => typeof given === 'string',
    bool: (given) => typeof given === 'boolean',
    int: Number.isInteger,
    float: (given) => typeof given === 'number',
    strings: (given) => Array.isArray(given) && given.every((item) => typeof item === 'string'),
    ints: (given) => Array.isArray(given) && given.every(Number.isInteger),
    json: () => true,
  };
  if (!fits[kind]?.(value)) throw mismatch(value, goTypes[kind] ?? kind);
  return value;
}

function decodeShape(value: unknown, shape: Shape, path: string): Record<string, unknown> {
  if (kindOf(value) !== 'object') throw mismatch(value, rawObject);
  const entries = Object.entries(value as Record<string, unknown>);
  const prefix = path ? `${path}.` : '';
  const unknown = entries.find(([field]) => !Object.hasOwn(shape, field));
  if (unknown) throw new Error(`json: unknown field "${prefix}${unknown[0]}"`);
  return Object.fromEntries(
    entries
      // null leaves a field as it is.
      .filter(([, given]) => given !== null)
      .map(([field, given]) => [field, decodeValue(given, shape[field] as Kind, `${prefix}${field}`)]),
  );
}

/** The fields a body sets. @throws Error as the real server words it, for its 400 */
export function decodeBody(text: string, shape: Shape): Record<string, unknown> {
  const value = parseJson(text);
  return value === null ? {} : decodeShape(value, shape, '');
}
