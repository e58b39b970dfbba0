import { type FanoutSample, held } from './measure.ts';
import type { MemorySample } from './memory.ts';
import { latencyRate } from './plan.ts';

/** One contender in one case: how it does at the rate for latency, and at the highest rate it held. */
export interface FanoutRow {
  case: string;
  bytes: number;
  gateways: number;
  contender: string;
  slow: FanoutSample;
  /** Absent where not even the lowest rate was held. */
  most: FanoutSample | undefined;
  /** Highest deliveries per second beside the better of the two adapters for Redis. */
  toRedis: number | null;
}

export interface FanoutBar {
  text: string;
  ratio: number;
  least: number;
  passed: boolean;
  disturbed: boolean;
}

const keyOf = (row: Pick<FanoutSample, 'case' | 'bytes' | 'gateways'>) => [row.case, row.bytes, row.gateways].join();
const isOurs = (contender: string) => contender.startsWith('ours');
const reached = (row: FanoutRow) => row.most?.deliveredPerSecond ?? 0;

export function fanoutRows(samples: readonly FanoutSample[]): FanoutRow[] {
  const groups = Map.groupBy(samples, (sample) => `${keyOf(sample)},${sample.contender}`);
  const rows = [...groups.values()].map((group): FanoutRow => {
    const slow = group.find(({ asked }) => asked === latencyRate) ?? (group[0] as FanoutSample);
    const { case: name, bytes, gateways, contender } = slow;
    const most = group.filter(held).toSorted((a, b) => b.deliveredPerSecond - a.deliveredPerSecond)[0];
    return { case: name, bytes, gateways, contender, slow, most, toRedis: null };
  });
  return rows.map((row) => {
    const redis = rows.filter((other) => keyOf(other) === keyOf(row) && !isOurs(other.contender));
    const best = Math.max(0, ...redis.map(reached));
    return { ...row, toRedis: best > 0 ? reached(row) / best : null };
  });
}

/** What must hold: no fewer deliveries than the better of the adapters for Redis, in every case. */
export function fanoutBars(rows: readonly FanoutRow[], mostForeign: number): FanoutBar[] {
  return rows.flatMap((row) => {
    if (!isOurs(row.contender) || row.toRedis === null) return [];
    const foreign = Math.max(row.most?.foreign ?? 0, row.slow.foreign ?? 0);
    return {
      text: `${row.contender} to Redis, deliveries/s (${row.case}, ${row.bytes} B, ${row.gateways} gateways)`,
      ratio: row.toRedis,
      least: 1,
      // They climb the same steps: what differs by less than a hundredth stands on the same one.
      passed: Math.round(row.toRedis * 100) >= 100,
      disturbed: foreign > mostForeign,
    };
  });
}

type Cells = readonly string[];

/** The first columns are text, the others numbers. */
function table(head: Cells, body: readonly Cells[], texts: number): string {
  const widths = head.map((name, column) => Math.max(name.length, ...body.map((cells) => cells[column]?.length ?? 0)));
  const pad = (cell: string, column: number) =>
    column < texts ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0);
  const line = (cells: Cells) => `| ${cells.map(pad).join(' | ')} |`;
  const rule = line(widths.map((width, column) => (column < texts ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)));
  return [line(head), rule, ...body.map(line)].join('\n');
}

const thousands = (value: number): string => `${(value / 1_000).toFixed(value < 10_000 ? 1 : 0)}k`;
const micros = (value: number | null | undefined): string => (value == null ? '–' : value.toFixed(2));
const percent = (value: number | null | undefined): string => (value == null ? '–' : `${(value * 100).toFixed(0)} %`);

export function fanoutTable(rows: readonly FanoutRow[]): string {
  const head = [
    ...['case', 'bytes', 'gateways', 'contender', `p50 ms at ${latencyRate}/s`, `p99 ms at ${latencyRate}/s`],
    ...['CPU µs', 'most delivered/s', 'p99 ms', 'CPU µs', 'bus CPU µs', 'core per gateway', 'others', 'to Redis'],
  ];
  const body = rows.map((row) => {
    const { slow, most } = row;
    return [
      ...[row.case, `${row.bytes}`, `${row.gateways}`, row.contender, slow.p50.toFixed(2), slow.p99.toFixed(2)],
      ...[micros(slow.gatewayMicros), most ? thousands(most.deliveredPerSecond) : 'none', most?.p99.toFixed(2) ?? '–'],
      ...[micros(most?.gatewayMicros), micros(most?.busMicros), percent(most?.gatewayLoad), percent(most?.foreign)],
      row.toRedis === null ? '–' : `${row.toRedis.toFixed(2)} ×`,
    ];
  });
  return table(head, body, 4);
}

const kilobytes = (bytes: number): string => (bytes / 1_024).toFixed(1);

export function memoryTable(samples: readonly MemorySample[]): string {
  const plain = samples.find(({ contender }) => contender === 'plain');
  const head = ['contender', 'idle connections', 'KB held by one', 'KB resident', 'to plain Socket.IO'];
  const body = samples.map(({ contender, connections, heldBytes, residentBytes }) => [
    ...[contender, `${connections}`, kilobytes(heldBytes), kilobytes(residentBytes)],
    plain ? `${(heldBytes / plain.heldBytes).toFixed(2)} ×` : '–',
  ]);
  return table(head, body, 1);
}
