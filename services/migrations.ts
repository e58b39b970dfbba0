import type { Migration } from '../shared/store/collection.ts';

/**
 * Changes to data that is already stored, in order: each runs once per store, under a lock, before a service answers.
 * Indexes are no migrations: a collection makes its own when it is opened.
 */
export const migrations: readonly Migration[] = [];
