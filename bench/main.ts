import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { installPeers } from './lib/peers.ts';
import { planOf } from './lib/plan.ts';
import { barLines, barsOf, machine, rowsOf, tableOf } from './lib/report.ts';
import { runSeries, type Sample } from './lib/run.ts';

const results = new URL('./results/', import.meta.url);
const say = (line: string) => process.stdout.write(`${line}\n`);

/** `npm run bench`: see bench/README.md. Ends with 1 where a bar is missed or a request failed. */
async function main(): Promise<void> {
  const plan = planOf(process.argv.slice(2));
  await installPeers();
  say(`${machine()}; ${plan.inFlight} requests under way, medians of ${plan.rounds} rounds of ${plan.durationMs} ms`);
  const samples: Sample[] = [];
  for (const series of plan.series)
    samples.push(...(await runSeries(series, plan, (line) => process.stderr.write(`${line}\n`))));
  const rows = rowsOf(samples);
  const bars = barsOf(rows);
  const figures = `${tableOf(rows)}\n\n\`\`\`text\n${barLines(bars)}\n\`\`\``;
  say(`\n${figures}`);
  if (plan.write) await writeFigures(`${machine()}, ${new Date().toISOString().slice(0, 10)}:\n\n${figures}`);
  await mkdir(results, { recursive: true });
  const file = new URL(`${new Date().toISOString().replaceAll(':', '-')}.json`, results);
  await writeFile(file, JSON.stringify({ machine: machine(), plan, rows, bars, samples }, null, 2));
  say(`\nwritten: bench/results/${file.pathname.split('/').at(-1)}`);
  if (bars.some(({ passed }) => !passed) || rows.some(({ failures }) => failures > 0)) process.exitCode = 1;
}

/** Replaces what stands between the marks in README.md. */
async function writeFigures(text: string): Promise<void> {
  const readme = new URL('./README.md', import.meta.url);
  const before = await readFile(readme, 'utf8');
  await writeFile(readme, before.replace(/(<!-- figures -->).*(<!-- end -->)/s, `$1\n\n${text}\n\n$2`));
}

await main();
