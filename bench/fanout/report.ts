import type { Bar } from '../lib/report.ts';
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
  /** All rates that were held. */
  held: readonly FanoutSample[];
  /** Highest deliveries per second beside the better of the two adapters for Redis. */
  toRedis: number | null;
}

const keyOf = (row: Pick<FanoutSample, 'case' | 'bytes' | 'gateways'>) => [row.case, row.bytes, row.gateways].join();
const isOurs = (contender: string) => contender.startsWith('ours');
const isRedis = (contender: string) => contender.startsWith('redis');
const isOneRoom = (row: FanoutRow) => row.case.startsWith('one room');
const reached = (row: FanoutRow) => row.most?.deliveredPerSecond ?? 0;

export function fanoutRows(samples: readonly FanoutSample[]): FanoutRow[] {
  const groups = Map.groupBy(samples, (sample) => `${keyOf(sample)},${sample.contender}`);
  const rows = [...groups.values()].map((group): FanoutRow => {
    const slow = group.find(({ asked }) => asked === latencyRate) ?? (group[0] as FanoutSample);
    const { case: name, bytes, gateways, contender } = slow;
    const sustained = group.filter(held);
    const most = sustained.toSorted((a, b) => b.deliveredPerSecond - a.deliveredPerSecond)[0];
    return { case: name, bytes, gateways, contender, slow, most, held: sustained, toRedis: null };
  });
  return rows.map((row) => {
    const redis = rows.filter((other) => keyOf(other) === keyOf(row) && isRedis(other.contender));
    const best = Math.max(0, ...redis.map(reached));
    return { ...row, toRedis: best > 0 ? reached(row) / best : null };
  });
}

/** Deliveries per second beside the better of the adapters for Redis, where all rooms are one and where they are many. */
const leastToRedis = { one: 5, many: 1.5 };
/** 50th percentile at the rate for latency: what differs by less cannot be told apart. */
const mostLatency = 1.1;
/** Gateways' CPU per delivery beside Redis' classic adapter, and of four gateways beside two. */
const mostCpu = { toRedis: 0.5, fourToTwo: 1.1 };

/** What must hold of our adapter, with and without recovery. */
export function fanoutBars(rows: readonly FanoutRow[], mostForeign: number): Bar[] {
  const other = (row: FanoutRow, change: Partial<Pick<FanoutRow, 'contender' | 'gateways'>>) =>
    rows.find(
      (one) => one.contender === (change.contender ?? row.contender) && keyOf(one) === keyOf({ ...row, ...change }),
    );
  const isDisturbed = (samples: readonly (FanoutSample | undefined)[]) =>
    samples.some((sample) => (sample?.foreign ?? 0) > mostForeign);
  return rows
    .filter(({ contender }) => isOurs(contender))
    .flatMap((row) => {
      const bars: Bar[] = [];
      const where = `${row.case}, ${row.bytes} B, ${row.gateways} gateways`;
      const add = (
        what: string,
        ratio: number,
        bar: Pick<Bar, 'least' | 'most'>,
        samples: readonly (FanoutSample | undefined)[],
      ) => {
        // They climb the same steps: what differs by less than a hundredth stands on the same one.
        const rounded = Math.round(ratio * 100) / 100;
        const passed = rounded >= (bar.least ?? 0) && rounded <= (bar.most ?? Number.POSITIVE_INFINITY);
        bars.push({
          text: `${row.contender} ${what} (${where})`,
          ratio,
          ...bar,
          passed,
          disturbed: isDisturbed(samples),
        });
      };
      const redis = other(row, { contender: 'redis' });
      const isOne = isOneRoom(row);
      if (row.toRedis !== null) {
        const least = isOne ? leastToRedis.one : leastToRedis.many;
        add('to Redis, deliveries/s', row.toRedis, { least }, [row.most, redis?.most]);
      }
      if (redis && isOne) {
        add('to Redis, p50', row.slow.p50 / redis.slow.p50, { most: mostLatency }, [row.slow, redis.slow]);
      }
      const compareCpu = (what: string, beside: FanoutRow | undefined, most: number) => {
        const pair = beside && besideEachOther(row, beside);
        if (pair) add(`${what} at ${pair.rate}/s`, pair.ratio, { most }, pair.samples);
      };
      if (!isOne && row.most?.gatewayMicros && redis?.most?.gatewayMicros) {
        const ratio = row.most.gatewayMicros / redis.most.gatewayMicros;
        add('to Redis, CPU, each at its most', ratio, { most: mostCpu.toRedis }, [row.most, redis.most]);
      }
      if (!isOne) {
        compareCpu('to Redis, CPU', redis, mostCpu.toRedis);
        if (row.gateways === 4) compareCpu('to 2 gateways, CPU', other(row, { gateways: 2 }), mostCpu.fourToTwo);
      }
      return bars;
    });
}

/** CPU per delivery at the highest rate that both held; undefined where there is none that tells. */
function besideEachOther(row: FanoutRow, beside: FanoutRow) {
  const pairs = row.held.flatMap((one) => {
    const two = beside.held.find(({ asked }) => asked === one.asked);
    return two?.gatewayMicros && one.gatewayMicros
      ? [{ rate: one.asked, ratio: one.gatewayMicros / two.gatewayMicros, samples: [one, two] }]
      : [];
  });
  return pairs.toSorted((a, b) => b.rate - a.rate)[0];
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
  const adapters = rows.filter(({ contender }) => contender !== 'writes');
  const body = adapters.map((row) => {
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

/** Gateways' CPU per message at the rates that were held, where all rooms are many. */
export function cpuTable(rows: readonly FanoutRow[]): string {
  const many = rows.filter((row) => !isOneRoom(row));
  if (many.length === 0) return '';
  const rates = [...new Set(many.flatMap(({ held: samples }) => samples.map(({ asked }) => asked)))]
    .filter((rate) => rate !== latencyRate)
    .sort((a, b) => a - b);
  const head = ['bytes', 'gateways', 'contender', ...rates.map((rate) => `µs at ${rate / 1_000}k/s`)];
  const body = many.map((row) => [
    ...[`${row.bytes}`, `${row.gateways}`, row.contender],
    ...rates.map((rate) => micros(row.held.find(({ asked }) => asked === rate)?.gatewayMicros)),
  ]);
  return table(head, body, 3);
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
