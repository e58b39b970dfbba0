import { MongoError, MongoInvalidArgumentError, MongoServerError } from 'mongodb';
import { OPERATION_MS, within } from './bounds.ts';
import { Duplicate, StoreUnavailable } from './collection.ts';
import { duplicateOf } from './mongo.rules.ts';

/**
 * Server errors that say "not now": over its time, shutting down, stepping down, no primary, a write concern not met.
 * Codes of https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml.
 */
const NOT_NOW: ReadonlySet<number> = new Set([
  6, 7, 24, 50, 64, 89, 91, 100, 134, 189, 202, 262, 317, 358, 384, 9001, 10107, 11600, 11601, 11602, 13435, 13436,
]);
const DUPLICATE_KEY = 11_000;

/** Runs one operation within its bound and gives its errors the names of the store's interface. */
export async function answered<R>(what: string, operation: () => Promise<R>): Promise<R> {
  try {
    return await within(OPERATION_MS, operation(), what);
  } catch (error) {
    throw translated(what, error);
  }
}

export function translated(what: string, error: unknown): unknown {
  if (!(error instanceof MongoError)) return error;
  if (error.code === DUPLICATE_KEY) return new Duplicate(duplicateOf(error.message));
  if (error instanceof MongoInvalidArgumentError) return error;
  const wrong = error instanceof MongoServerError && !NOT_NOW.has(Number(error.code)) && !retryable(error);
  // Everything else of the driver is about connections: none, lost, timed out, closed.
  return wrong ? error : new StoreUnavailable(`${what}: ${error.name}`, { cause: error });
}

function retryable(error: MongoError): boolean {
  return error.hasErrorLabel('RetryableWriteError') || error.name === 'MongoWriteConcernError';
}
