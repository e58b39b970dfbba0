import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, mkdir, mkdtemp, readFile, rename, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { collectionSuite, FIRST_PAGE, PEOPLE, person } from './collection.suite.ts';
import type { Collections } from './collection.ts';
import { openFiles, openMemory } from './file.collections.ts';

const newDirectory = () => mkdtemp(join(tmpdir(), 'trigate-files-'));

collectionSuite('the file store', async () => {
  const folder = await newDirectory();
  let stores = await openFiles(folder);
  return {
    stores,
    reopen: async () => {
      await stores.close();
      stores = await openFiles(folder);
      return stores;
    },
    cleanup: async () => {
      await stores.close();
      await rm(folder, { recursive: true });
    },
  };
});

let directory: string;
let stores: Collections | undefined;
const warnings: string[] = [];
const file = () => join(directory, 'people.db');
const open = async () => {
  stores = await openFiles(directory, { warn: (message) => warnings.push(message) });
  return stores.collection(PEOPLE);
};

beforeEach(async () => {
  directory = await newDirectory();
  warnings.length = 0;
});
afterEach(async () => {
  await stores?.close();
  stores = undefined;
  await rm(directory, { recursive: true, force: true });
});

test('a torn last line is cut off, with a warning, and the lines before it are there', async () => {
  const people = await open();
  const ann = await people.insert(person('ann'));
  await stores?.close();
  await appendFile(file(), '{"_id":"torn","usern');
  const again = await open();
  expect(await again.find({}, { limit: 10 })).toEqual([ann]);
  expect(warnings).toEqual(['people.db: cut off an unfinished last line of 20 bytes']);
});

test('a torn last line longer than a chunk is cut off as well', async () => {
  const people = await open();
  await people.insert(person('ann'));
  await stores?.close();
  await appendFile(file(), `{"_id":"torn","data":"${'x'.repeat(200_000)}`);
  expect(await (await open()).count({})).toBe(1);
});

test('a damaged line in the middle is an error that names the file, and nothing is overwritten', async () => {
  const people = await open();
  for (let index = 0; index < 30; index++) await people.insert(person(`u${index}`));
  await stores?.close();
  const lines = (await readFile(file(), 'utf8')).split('\n');
  lines[5] = `${lines[5]?.slice(0, 30)}`;
  await writeFile(file(), lines.join('\n'));
  await expect(open()).rejects.toThrow(/people\.db is damaged: 1 of \d+ lines/);
  expect(await readFile(file(), 'utf8')).toBe(lines.join('\n'));
});

test('a directory in use is refused in one line that names the process, also within one process', async () => {
  await open();
  await expect(openFiles(directory)).rejects.toThrow(`${directory} is in use by process ${process.pid}`);
});

test('the lock of another process that lives is respected, that of a dead one is taken over', async () => {
  const other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  try {
    const fields = (await readFile(`/proc/${other.pid}/stat`, 'utf8')).split(') ')[1]?.split(' ');
    await writeFile(join(directory, 'lock'), `${other.pid} ${fields?.[19]}`);
    await expect(openFiles(directory)).rejects.toThrow(`in use by process ${other.pid}`);
  } finally {
    other.kill('SIGKILL');
    await once(other, 'exit');
  }
  expect(await (await open()).count({})).toBe(0);
});

test('the lock of an earlier process whose pid is in use again is taken over', async () => {
  await writeFile(join(directory, 'lock'), `${process.ppid} 1`);
  expect(await (await open()).count({})).toBe(0);
});

test('of ten that find the same stale lock one gets the directory', async () => {
  await writeFile(join(directory, 'lock'), '4000000 1');
  const all = await Promise.allSettled(Array.from({ length: 10 }, () => openFiles(directory)));
  const won = all.filter((one) => one.status === 'fulfilled');
  expect(won).toHaveLength(1);
  await won[0]?.value.close();
});

test('a write that fails is reported, the store is unhealthy until it works, and nothing acknowledged is lost', async () => {
  const people = await open();
  const ann = await people.insert(person('ann'));
  await rename(file(), `${file()}.away`);
  await mkdir(file());
  await expect(people.insert(person('bob'))).rejects.toMatchObject({ name: 'StoreUnavailable' });
  expect(await stores?.healthy()).toBe(false);
  await rmdir(file());
  expect(await stores?.healthy()).toBe(true);
  const eve = await people.insert(person('eve'));
  await stores?.close();
  const again = await open();
  expect(await again.get(ann.id)).toEqual(ann);
  expect(await again.get(eve.id)).toEqual(eve);
});

test('after close every method says that the store is unavailable', async () => {
  const people = await open();
  await stores?.close();
  const calls = [people.insert(person('a')), people.get('a'), people.count({}), people.list(FIRST_PAGE)];
  for (const call of calls) await expect(call).rejects.toMatchObject({ name: 'StoreUnavailable' });
  expect(await stores?.healthy()).toBe(false);
});

test('changes of one record do not make its file grow without end', async () => {
  const people = await open();
  let ann = await people.insert(person('ann', { data: { text: 'x'.repeat(1_000) } }));
  for (let index = 0; index < 20_100; index++) ann = (await people.update(ann.id, ann.version, { age: index })) ?? ann;
  expect(ann.version).toBe(20_101);
  expect((await stat(file())).size).toBeLessThan(1_000_000);
  expect((await people.get(ann.id))?.age).toBe(20_099);
}, 60_000);

test('an index that a later spec does not have forbids nothing any more', async () => {
  const people = await open();
  await people.insert(person('ann'));
  await stores?.close();
  stores = await openFiles(directory);
  const loose = await stores.collection({ ...PEOPLE, unique: [] });
  await loose.insert(person('ann'));
  expect(await loose.count({ username: 'ann' })).toBe(2);
});

test('files are readable by their owner only', async () => {
  await open();
  expect((await stat(file())).mode & 0o077).toBe(0);
});

test('a store in memory works alike', async () => {
  const memory = openMemory();
  const people = await memory.collection(PEOPLE);
  const ann = await people.insert(person('ann'));
  expect(await people.get(ann.id)).toEqual(ann);
  await expect(people.insert(person('ann'))).rejects.toMatchObject({ key: 'username' });
  expect(await memory.healthy()).toBe(true);
  await memory.close();
});
