import { z } from 'zod';

/**
 * Values as an environment spells them. Every type reads a non-empty text; what is wrong is told without the text
 * itself, so that no message can carry a secret.
 */
type Read<T> = (text: string, wrong: (what: string) => never) => T;

/** A type and the words after "expected" in the message of a bad value. */
export interface TextType<T> {
  readonly schema: z.ZodType<T, string>;
  readonly expected: string;
}

class Wrong extends Error {}

function textType<T>(expected: string, read: Read<T>): TextType<T> {
  const schema = z.string().transform((text, context): T => {
    try {
      return read(text, (what) => {
        throw new Wrong(what);
      });
    } catch (error) {
      if (!(error instanceof Wrong)) throw error;
      context.addIssue({ code: 'custom', message: error.message });
      return z.NEVER;
    }
  });
  return { schema, expected };
}

const matching = (expected: string, pattern: RegExp): TextType<string> =>
  textType(expected, (text, wrong) => (pattern.test(text) ? text : wrong('is not valid')));

export const integer = (min: number, max: number, unit = ''): TextType<number> =>
  textType(`a whole number from ${min} to ${max}${unit}`, (text, wrong) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : wrong('is not a whole number');
    return value >= min && value <= max ? value : wrong('is out of range');
  });

export const number = (min: number, max: number): TextType<number> =>
  textType(`a number from ${min} to ${max}`, (text, wrong) => {
    const value = /^\d{1,15}(\.\d{1,6})?$/.test(text) ? Number(text) : wrong('is not a number');
    return value >= min && value <= max ? value : wrong('is out of range');
  });

/** 0 takes any free port. */
export const port = integer(0, 65_535);

export const oneOf = <const W extends readonly [string, ...string[]]>(...words: W): TextType<W[number]> =>
  textType(`one of ${words.join(', ')}`, (text, wrong) => words.find((word) => word === text) ?? wrong('is not known'));

export const anyText = textType('any text', (text) => text);

export const textOf = (min: number, max: number): TextType<string> =>
  textType(`${min} to ${max} characters`, (text, wrong) => {
    if (text.length < min) return wrong('is too short');
    return text.length <= max ? text : wrong('is too long');
  });

export const url = (...protocols: string[]): TextType<string> =>
  textType(`a URL that begins with ${protocols.map((name) => `${name}://`).join(' or ')}`, (text, wrong) =>
    readUrl(text, protocols) ? text : wrong('is not such a URL'),
  );

function readUrl(text: string, protocols: string[]): URL | null {
  const parsed = URL.canParse(text) ? new URL(text) : null;
  return parsed && parsed.hostname !== '' && protocols.includes(parsed.protocol.slice(0, -1)) ? parsed : null;
}

/** The driver knows the grammar, which has more than one host in it. */
export const mongodbUrl = matching(
  'a URL that begins with mongodb:// or mongodb+srv://',
  /^mongodb(\+srv)?:\/\/[^\s/]+/,
);

export function listOf<T>(item: TextType<T>): TextType<T[]> {
  return textType(`${item.expected}; several with commas between`, (text, wrong) =>
    text.split(',').map((part, index) => {
      const parsed = item.schema.safeParse(part.trim());
      return parsed.success ? parsed.data : wrong(`item ${index + 1} ${parsed.error.issues[0]?.message}`);
    }),
  );
}

export const natsServer = matching('nats://host:port or tls://host:port', /^((nats|tls):\/\/)?[^\s/:]+(:[^\s/]+)?$/);

/** Browsers send an origin in lower case and without the default port, so it is compared in that form. */
export const origin = textType('* or an origin such as https://app.example.org', (text, wrong) => {
  if (text === '*') return text;
  if (!/^[a-z][a-z0-9+.-]*:\/\/[^\s/?#@]+$/i.test(text) || !URL.canParse(text)) return wrong('is not an origin');
  const parsed = new URL(text);
  return parsed.origin === 'null' ? text.toLowerCase() : parsed.origin;
});

/** MQTT 3.1.1 and 5, 4.7: no wildcard and no control character in a topic name; `$` begins topics of the broker. */
export const topic = matching(
  'a topic without + # $, spaces, and slashes at either end, at most 128 characters',
  /^(?=.{1,128}$)[^\s/+#$\p{Cc}]+(\/[^\s/+#$\p{Cc}]+)*$/u,
);

/** It begins NATS subjects and names of streams; the latter take no dot. */
export const prefix = matching('1 to 32 letters, digits, - and _', /^[A-Za-z0-9_-]{1,32}$/);

export const host = matching('a host name or an address', /^[A-Za-z0-9.:_%-]{1,255}$/);

export interface EncryptionKey {
  readonly id: string;
  /** 32 bytes. */
  readonly key: Buffer;
}

export const encryptionKeys = textType(
  'id:base64 of 32 bytes; several with commas between, ids of 1 to 32 letters, digits, - and _',
  (text, wrong): EncryptionKey[] => {
    const keys = text.split(',').map((part, index) => readKey(part.trim()) ?? wrong(`item ${index + 1} is not valid`));
    return new Set(keys.map(({ id }) => id)).size === keys.length ? keys : wrong('has an id twice');
  },
);

/** Buffer.from skips what is not base64: only a text that comes out the same again was base64. */
function readKey(text: string): EncryptionKey | null {
  const [, id, encoded] = /^([A-Za-z0-9_-]{1,32}):([A-Za-z0-9+/]{43}=?)$/.exec(text) ?? [];
  if (!id || !encoded) return null;
  const key = Buffer.from(encoded, 'base64');
  return key.length === 32 && key.toString('base64').startsWith(encoded) ? { id, key } : null;
}
