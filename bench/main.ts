import { mkdir, writeFile } from 'node:fs/promises';
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
  say(`\n${tableOf(rows)}\n\n${barLines(bars)}`);
  await mkdir(results, { recursive: true });
  const file = new URL(`${new Date().toISOString().replaceAll(':', '-')}.json`, results);
  await writeFile(file, JSON.stringify({ machine: machine(), plan, rows, bars, samples }, null, 2));
  say(`\nwritten: bench/results/${file.pathname.split('/').at(-1)}`);
  if (bars.some(({ passed }) => !passed) || rows.some(({ failures }) => failures > 0)) process.exitCode = 1;
}

await main();
