import type { z } from 'zod';
import { Failure } from '../../shared/contracts/index.ts';
import { assertSafeKeys, quoted } from '../core/safe-json.ts';
import { assertNotTooLarge } from './decoder.ts';

/** What a client sent with an event does not fit the contract of the event. */
export class InvalidPayload extends Failure {
  constructor(sentence: string) {
    super('INVALID_REQUEST', sentence);
  }
}

const maxFaults = 5;

/**
 * The argument of an event, checked. None is an empty object, so that what is missing is named.
 * @throws InvalidPayload, Failure PAYLOAD_TOO_LARGE
 */
export function readPayload<S extends z.ZodObject>(schema: S, argument: unknown, allowDollar: boolean): z.output<S> {
  assertNotTooLarge(argument);
  const value = argument ?? {};
  if (typeof value !== 'object' || Array.isArray(value) || ArrayBuffer.isView(value)) {
    throw new InvalidPayload('The payload is not an object.');
  }
  try {
    assertSafeKeys(value, { allowDollar });
  } catch (error) {
    throw new InvalidPayload(`${(error as Failure).message}.`);
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const sentences = parsed.error.issues.slice(0, maxFaults).map((issue) => sentenceOf(issue, value));
  throw new InvalidPayload(sentences.join(' '));
}

function sentenceOf(issue: z.core.$ZodIssue, value: object): string {
  if (issue.code === 'unrecognized_keys') return `The key ${quoted(issue.keys[0] ?? '')} is not allowed.`;
  const path = issue.path.map(String).join('.');
  const given = issue.path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key], value);
  return given === undefined || given === '' ? `Missing ${path}.` : `${path}: ${issue.message}.`;
}
