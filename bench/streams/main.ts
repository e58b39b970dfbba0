import { parseArgs } from 'node:util';
import { type Outcome, say } from '../lib/outcome.ts';
import { barLines, machine } from '../lib/report.ts';
import { changes, measureStreams, type StreamsSample } from './measure.ts';

/** Calls per change with many cameras to those with the fewest. */
const most = 1.5;

/** `npm run bench -- streams`: see bench/README.md. */
export async function streams(args: readonly string[]): Promise<Outcome> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
      cameras: { type: 'string' },
      rounds: { type: 'string' },
    },
  });
  const sizes = (values.cameras ?? (values.quick ? '10,100' : '10,100,1000')).split(',').map(Number);
  const rounds = Number(values.rounds ?? (values.quick ? 2 : 5));
  say(`${machine()}; the stand-in for MediaMTX counts`);
  const samples: StreamsSample[] = [];
  for (const cameras of sizes) {
    samples.push(await measureStreams(cameras, rounds));
    process.stderr.write(`${cameras} cameras\n`);
  }
  const least = samples[0] as StreamsSample;
  const bars = samples.slice(1).map(({ cameras, perChangeMean }) => {
    const ratio = perChangeMean / least.perChangeMean;
    const text = `calls per change with ${cameras} cameras to ${least.cameras}`;
    return { text, ratio, most, passed: ratio <= most, disturbed: false };
  });
  return {
    name: 'streams',
    figures: [table(samples, least), `\`\`\`text\n${barLines(bars)}\n\`\`\``].join('\n\n'),
    results: { sizes, rounds, samples, bars },
    passed: bars.every(({ passed }) => passed),
    write: values.write,
  };
}

function table(samples: readonly StreamsSample[], least: StreamsSample): string {
  const head = [
    'cameras',
    ...changes,
    'mean',
    `to ${least.cameras}`,
    'calls/s at rest',
    'filled in s',
    'restored in s',
  ];
  const body = samples.map((sample) => [
    String(sample.cameras),
    ...changes.map((change) => sample.perChange[change].toFixed(1)),
    sample.perChangeMean.toFixed(2),
    `${(sample.perChangeMean / least.perChangeMean).toFixed(2)} ×`,
    sample.atRest.toFixed(1),
    sample.filledIn.toFixed(1),
    sample.restoredIn.toFixed(1),
  ]);
  const widths = head.map((name, column) => Math.max(name.length, ...body.map((cells) => cells[column]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padStart(widths[column] ?? 0)).join(' | ')} |`;
  const rule = `| ${widths.map((width) => `${'-'.repeat(width - 1)}:`).join(' | ')} |`;
  return [line(head), rule, ...body.map(line)].join('\n');
}
