import { isUtf8 } from 'node:buffer';
import { parse } from 'secure-json-parse';
import { Failure } from '../../shared/contracts/index.ts';

/** Bytes a body or message may have, on every protocol. */
export const maxMessageBytes = 1_000_000;
/** Levels of arrays and objects; deeper data serves only to exhaust whoever walks it. */
const maxDepth = 64;
const quotedLength = 64;

const neverKeys: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

export interface KeyRules {
  /** Free-form data that is passed on and not stored may have keys that begin with `$`. */
  readonly allowDollar?: boolean;
}

/** What is wrong with parsed data: an own key nobody may send, or its depth. */
export type Unsafe =
  | { kind: 'key'; key: string; path: (string | number)[] }
  | { kind: 'binary'; path: (string | number)[] }
  | { kind: 'depth' };

/** A name a client chose, fit for a sentence: escaped and cut. */
export const quoted = (name: string): string =>
  JSON.stringify(name.length > quotedLength ? `${name.slice(0, quotedLength)}…` : name);

/**
 * Text or UTF-8 bytes to a value whose keys are not checked yet (see `assertSafeKeys`): for a caller that must read a
 * request id before it refuses the rest. The failure quotes nothing of the input.
 * @throws Failure INVALID_REQUEST, PAYLOAD_TOO_LARGE
 */
export function decodeJson(text: string | Buffer): unknown {
  const bytes = typeof text === 'string' ? Buffer.byteLength(text) : text.length;
  if (bytes > maxMessageBytes) throw new Failure('PAYLOAD_TOO_LARGE');
  if (typeof text !== 'string' && !isUtf8(text)) throw new Failure('INVALID_REQUEST', 'The request is not UTF-8');
  try {
    // Its own refusals name no key and let `prototype` pass; the walk of assertSafeKeys does both.
    return parse(text, { protoAction: 'ignore', constructorAction: 'ignore' });
  } catch {
    throw new Failure('INVALID_REQUEST', 'The request is not JSON');
  }
}

/** Finds the first own key that is refused anywhere in parsed data; its depth is bounded. Nothing is changed. */
export function findUnsafe(value: unknown, rules: KeyRules = {}): Unsafe | undefined {
  return walk(value, rules.allowDollar === true, []);
}

/** @throws Failure INVALID_REQUEST that names the key */
export function assertSafeKeys(value: unknown, rules: KeyRules = {}): void {
  const unsafe = findUnsafe(value, rules);
  if (unsafe) throw unsafeFailure(unsafe);
}

/**
 * JSON from outside: at most 1 MB, no key `__proto__`, `constructor` or `prototype` at any depth, none that begins
 * with `$` unless the rules allow it.
 * @throws Failure INVALID_REQUEST that names the key, PAYLOAD_TOO_LARGE
 */
export function parseJson(text: string | Buffer, rules: KeyRules = {}): unknown {
  const value = decodeJson(text);
  assertSafeKeys(value, rules);
  return value;
}

export function unsafeFailure(unsafe: Unsafe): Failure {
  if (unsafe.kind === 'depth') return new Failure('INVALID_REQUEST', `The request has more than ${maxDepth} levels`);
  const message =
    unsafe.kind === 'binary' ? 'Binary data is not taken' : `The key ${quoted(unsafe.key)} is not allowed`;
  return new Failure('INVALID_REQUEST', message, { details: [{ message, path: unsafe.path }] });
}

/** `path` is where `value` lies; it is only right again when this returns undefined, so it costs no copies. */
function walk(value: unknown, allowDollar: boolean, path: (string | number)[]): Unsafe | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  // Socket.IO carries attachments; JSON does not.
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return { kind: 'binary', path };
  if (path.length >= maxDepth) return { kind: 'depth' };
  if (Array.isArray(value)) return walkItems(value, allowDollar, path);
  for (const key of Object.keys(value)) {
    path.push(key);
    if (neverKeys.has(key) || (!allowDollar && key.startsWith('$'))) return { kind: 'key', key, path };
    const unsafe = walk((value as Record<string, unknown>)[key], allowDollar, path);
    if (unsafe) return unsafe;
    path.pop();
  }
  return undefined;
}

function walkItems(items: unknown[], allowDollar: boolean, path: (string | number)[]): Unsafe | undefined {
  for (let index = 0; index < items.length; index++) {
    path.push(index);
    const unsafe = walk(items[index], allowDollar, path);
    if (unsafe) return unsafe;
    path.pop();
  }
  return undefined;
}

/** Whether a key is one of the three that are refused whatever the rules: safe to repeat anywhere. */
export const isNeverKey = (key: string): boolean => neverKeys.has(key);
