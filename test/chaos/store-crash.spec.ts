import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test } from '@jest/globals';
import type { Collections, Stored } from '../../shared/store/collection.ts';
import { openFiles } from '../../shared/store/file.collections.ts';
import { openMongo } from '../../shared/store/mongo.collections.ts';
import { startMongo } from '../servers/mongodb.ts';
import { patiently } from './patiently.ts';

const child = join(import.meta.dirname, 'store-crash.child.ts');
const RECORDS = 500;

test('every record the file store acknowledged is there after its process was killed, again and again', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'trigate-crash-'));
  const acknowledged: string[] = [];
  for (let round = 0; round < 5; round++) {
    acknowledged.push(...(await killedAfter(randomCount(), 'files', directory)));
    // A kill rarely hits the middle of a line; every other round is made to look as if it had.
    if (round % 2 === 1) await appendFile(join(directory, 'records.db'), '{"_id":"torn","text":"torn');
    expect(await missing(() => openFiles(directory, { warn: () => {} }), acknowledged)).toEqual([]);
  }
  await rm(directory, { recursive: true });
}, 60_000);

test('every record MongoDB acknowledged is there after the client was killed', async () => {
  const server = await startMongo();
  try {
    const acknowledged: string[] = [];
    for (let round = 0; round < 3; round++)
      acknowledged.push(...(await killedAfter(randomCount(), 'mongo', server.url)));
    expect(await missing(() => openMongo(server.url), acknowledged)).toEqual([]);
  } finally {
    await server.stop();
  }
}, 90_000);

const randomCount = () => 1 + Math.floor(Math.random() * (RECORDS - 1));

/** Those of the ids that a store opened now does not have. */
async function missing(open: () => Promise<Collections>, ids: readonly string[]): Promise<string[]> {
  const stores = await patiently(open);
  const spec = { name: 'records', sortable: [], unique: ['text'] } as const;
  const records = await patiently(() => stores.collection<Stored & { text: string }>(spec));
  const gone: string[] = [];
  // One after the other: all at once would wait for a connection longer than a store does.
  for (const id of ids) if ((await patiently(() => records.get(id))) === null) gone.push(id);
  await stores.close();
  return gone;
}

/** The ids a child printed until it was killed, at the first line after `count` acknowledgements. */
async function killedAfter(count: number, kind: string, place: string): Promise<string[]> {
  const process_ = spawn(process.execPath, [child, kind, place], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ids = await printed(process_, count);
  expect(ids.length).toBeGreaterThanOrEqual(count);
  return ids;
}

async function printed(process_: ChildProcess, count: number): Promise<string[]> {
  const ids: string[] = [];
  const lines = createInterface({ input: process_.stdout as NodeJS.ReadableStream });
  lines.on('line', (line) => {
    ids.push(line);
    if (ids.length === count) process_.kill('SIGKILL');
  });
  const [code, signal] = await once(process_, 'close');
  expect([code, signal]).toEqual([null, 'SIGKILL']);
  return ids;
}
