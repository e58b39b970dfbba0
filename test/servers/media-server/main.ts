/**
 * Runs the stand-in as a process of its own: `node main.ts <file> [<pauses as JSON>]`. The file holds a configuration
 * with the real server's keys, as JSON; it is loaded again when it changes.
 */
import { readFileSync, watch } from 'node:fs';
import { dirname, join } from 'node:path';
import { log } from './log.ts';
import { MediaServer, realPauses } from './server.ts';

const [file, pauses = '{}'] = process.argv.slice(2);
if (!file) throw new Error('usage: node main.ts <configuration file> [<pauses as JSON>]');

let text = readFileSync(file, 'utf8');
const server = new MediaServer(text, join(dirname(file), 'hls'), { ...realPauses, ...JSON.parse(pauses) });
await server.start();

watch(file, () => {
  const read = readFileSync(file, 'utf8');
  if (read === text || read === '') return;
  text = read;
  log('the configuration file has changed');
  server.reload(text).catch((error: Error) => log(error.message));
});

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void server.stop().then(() => process.exit(0));
  });
}
