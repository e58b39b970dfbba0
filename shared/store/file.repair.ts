import { open } from 'node:fs/promises';

const CHUNK = 64 * 1024;

/**
 * Cuts off a last line that has no end: a write which a SIGKILL tore and nobody was told had succeeded.
 * @returns the bytes cut; 0 where the file is whole, empty or not there
 */
export async function cutTornLine(path: string): Promise<number> {
  const file = await open(path, 'r+').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (!file) return 0;
  try {
    const { size } = await file.stat();
    const buffer = Buffer.alloc(CHUNK);
    let end = size;
    while (end > 0) {
      const start = Math.max(0, end - CHUNK);
      const { bytesRead } = await file.read(buffer, 0, end - start, start);
      const newline = buffer.lastIndexOf(0x0a, bytesRead - 1);
      if (newline >= 0 && newline < bytesRead) {
        end = start + newline + 1;
        break;
      }
      end = start;
    }
    if (end < size) await file.truncate(end);
    return size - end;
  } finally {
    await file.close();
  }
}
