/**
 * Inserts records, 20 at a time, and prints each id once the store has acknowledged it; ends only by being killed.
 * Usage: node store-crash.child.ts files <directory> | mongo <url>
 */
import { writeSync } from 'node:fs';
import type { Stored } from '../../shared/store/collection.ts';
import { openFiles } from '../../shared/store/file.collections.ts';
import { openMongo } from '../../shared/store/mongo.collections.ts';
import { patiently } from './patiently.ts';

const [, , kind, place = ''] = process.argv;
const RECORDS = 500;
const AT_ONCE = 20;

const stores = await patiently(() => (kind === 'mongo' ? openMongo(place) : openFiles(place)));
const spec = { name: 'records', sortable: [], unique: ['text'] } as const;
const records = await patiently(() => stores.collection<Stored & { text: string; at: number }>(spec));
let next = 0;
let tries = 0;
async function insertSome(): Promise<void> {
  while (next < RECORDS) {
    next += 1;
    const at = next;
    // Each try is a record of its own: one that was not acknowledged may be there nevertheless.
    const insert = () => records.insert({ text: `${process.pid}-${tries++} ${'x'.repeat(500)}`, at });
    const { id } = await patiently(insert);
    // At once and in full: what is printed later than this might be lost with the process.
    writeSync(1, `${id}\n`);
  }
}
await Promise.all(Array.from({ length: AT_ONCE }, insertSome));
// Killed after the last acknowledgement at the latest.
setInterval(() => {}, 1_000);
