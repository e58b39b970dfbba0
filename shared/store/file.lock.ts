import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Locks this process holds: its own pid in a lock it does not hold is that of an earlier process (containers). */
const held = new Set<string>();

/**
 * Takes a directory for this process; a lock left behind by a process that is gone is taken over.
 * Holds within one machine and one pid namespace: no two containers may share the directory.
 * @returns what gives it back
 * @throws Error one line that names the process which has it
 */
export async function lockDirectory(directory: string): Promise<() => Promise<void>> {
  const lock = join(directory, 'lock');
  const mine = join(directory, `lock.${randomBytes(6).toString('hex')}`);
  await writeFile(mine, holderLine(process.pid), { mode: 0o600 });
  try {
    // A link either makes the lock with its content or fails: nobody ever sees an empty one.
    if (!(await linked(mine, lock))) {
      await removeStale(directory, lock);
      if (!(await linked(mine, lock))) throw inUse(directory, await holderOf(lock));
    }
  } finally {
    await rm(mine, { force: true });
  }
  held.add(lock);
  return async () => {
    if (held.delete(lock)) await rm(lock, { force: true });
  };
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** @throws Error when the holder lives */
async function removeStale(directory: string, lock: string): Promise<void> {
  const holder = await holderOf(lock);
  if (lives(holder, lock)) throw inUse(directory, holder);
  const aside = `${lock}.${randomBytes(6).toString('hex')}`;
  await rename(lock, aside).catch(() => {});
  const moved = await holderOf(aside);
  // Another process may have taken the stale lock over between the look and the move: it gets it back.
  if (moved !== '' && lives(moved, lock)) await linked(aside, lock);
  await rm(aside, { force: true });
}

async function holderOf(lock: string): Promise<string> {
  return readFile(lock, 'utf8').catch(() => '');
}

function lives(holder: string, lock: string): boolean {
  const pid = Number.parseInt(holder, 10);
  if (!(pid > 0)) return false;
  if (pid === process.pid) return held.has(lock);
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  return holderLine(pid) === holder;
}

/** `<pid> <start>`: a pid is used again after a restart of the machine or container, its start time is not (Linux). */
function holderLine(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A zombie holds nothing: it only waits for its parent.
    return fields[0] === 'Z' ? `${pid} gone` : `${pid} ${fields[19]}`;
  } catch {
    return `${pid} -`;
  }
}

function inUse(directory: string, holder: string): Error {
  const pid = Number.parseInt(holder, 10);
  return new Error(`${directory} is in use by process ${pid || 'unknown'}: the file store serves one process only`);
}
