import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { fanout } from './fanout/main.ts';
import { type Outcome, say } from './lib/outcome.ts';
import { machine } from './lib/report.ts';
import { requests } from './requests.ts';
import { streams } from './streams/main.ts';

const results = new URL('./results/', import.meta.url);

const benches: Record<string, (args: readonly string[]) => Promise<Outcome>> = { fanout, streams };

/** `npm run bench`: see bench/README.md. Ends with 1 where a bar is missed or a request failed. */
async function main(): Promise<void> {
  const [first, ...rest] = process.argv.slice(2);
  const bench = first === undefined ? undefined : benches[first];
  const outcome = bench ? await bench(rest) : await requests(process.argv.slice(2));
  const { figures, write, passed } = outcome;
  say(`\n${figures}`);
  if (write) await writeFigures(outcome);
  await mkdir(results, { recursive: true });
  const stamp = new Date().toISOString();
  const file = `${outcome.name === 'figures' ? '' : `${outcome.name}-`}${stamp.replaceAll(':', '-')}.json`;
  await writeFile(new URL(file, results), JSON.stringify({ machine: machine(), ...outcome.results }, null, 2));
  say(`\nwritten: bench/results/${file}`);
  if (!passed) process.exitCode = 1;
}

/** Replaces what stands between the marks in README.md. */
async function writeFigures({ name, figures }: Outcome): Promise<void> {
  const readme = new URL('./README.md', import.meta.url);
  const before = await readFile(readme, 'utf8');
  const text = `${machine()}, ${new Date().toISOString().slice(0, 10)}:\n\n${figures}`;
  const marks = new RegExp(`(<!-- ${name} -->).*?(<!-- end -->)`, 's');
  await writeFile(
    readme,
    before.replace(marks, (_all, start, end) => `${start}\n\n${text}\n\n${end}`),
  );
}

await main();
