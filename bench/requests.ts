import { type Outcome, say } from './lib/outcome.ts';
import { installPeers } from './lib/peers.ts';
import { planOf } from './lib/plan.ts';
import { barLines, barsOf, machine, rowsOf, tableOf } from './lib/report.ts';
import { runSeries, type Sample } from './lib/run.ts';

/** `npm run bench`: the requests of a client, over all protocols, beside the peers. */
export async function requests(args: readonly string[]): Promise<Outcome> {
  const plan = planOf(args);
  await installPeers();
  say(`${machine()}; ${plan.inFlight} requests under way, medians of ${plan.rounds} rounds of ${plan.durationMs} ms`);
  const samples: Sample[] = [];
  for (const series of plan.series)
    samples.push(...(await runSeries(series, plan, (line) => process.stderr.write(`${line}\n`))));
  const rows = rowsOf(samples);
  const bars = barsOf(rows);
  return {
    name: 'figures',
    figures: `${tableOf(rows)}\n\n\`\`\`text\n${barLines(bars)}\n\`\`\``,
    results: { plan, rows, bars, samples },
    passed: bars.every(({ passed }) => passed) && rows.every(({ failures }) => failures === 0),
    write: plan.write,
  };
}
