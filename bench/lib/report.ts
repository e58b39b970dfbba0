import { availableParallelism, cpus } from 'node:os';
import type { ContenderName, Mode, StoreKind } from './contender.types.ts';
import { median } from './histogram.ts';
import type { Operation, Protocol } from './load.types.ts';
import { mostForeign } from './plan.ts';
import type { Sample } from './run.ts';

export interface Row {
  contender: ContenderName;
  protocol: Protocol;
  operation: Operation;
  mode: Mode;
  store: StoreKind;
  requestsPerSecond: number;
  p50: number;
  p99: number;
  cpuMicros: number | null;
  failures: number;
  /** The median share of the machine that others had. */
  foreign: number | null;
  /** Requests per second beside NestJS over HTTP doing the same in the same rounds. */
  toNest: number | null;
}

export interface Bar {
  text: string;
  /** Must not be below `least`, nor above `most`. */
  ratio: number;
  least?: number;
  most?: number;
  passed: boolean;
  /** Whether others used the machine so much meanwhile that the ratio says little. */
  disturbed: boolean;
}

const nestLeast = 2;
const protocolLeast = 1;

/** Medians over the rounds. */
export function rowsOf(samples: readonly Sample[]): Row[] {
  const groups = Map.groupBy(samples, ({ contender, protocol, operation, mode, store }) =>
    [mode, store, operation, contender, protocol].join(),
  );
  const rows = [...groups.values()].map((group) => {
    const { contender, protocol, operation, mode, store } = group[0] as Sample;
    const of = (key: 'requestsPerSecond' | 'p50' | 'p99') => median(group.map((sample) => sample[key]));
    const known = (key: 'cpuMicros' | 'foreign') => {
      const values = group.flatMap((sample) => sample[key] ?? []);
      return values.length > 0 ? median(values) : null;
    };
    return {
      ...{ contender, protocol, operation, mode, store },
      requestsPerSecond: of('requestsPerSecond'),
      p50: of('p50'),
      p99: of('p99'),
      cpuMicros: known('cpuMicros'),
      foreign: known('foreign'),
      failures: group.reduce((sum, { failures }) => sum + failures, 0),
      toNest: null,
    };
  });
  return rows.map((row) => {
    const nest = find(rows, { ...row, contender: 'nestjs', protocol: 'http' });
    return { ...row, toNest: nest ? row.requestsPerSecond / nest.requestsPerSecond : null };
  });
}

type Key = Pick<Row, 'contender' | 'protocol' | 'operation' | 'mode' | 'store'>;
const find = (rows: readonly Row[], key: Key): Row | undefined =>
  rows.find((row) => (Object.keys(keyNames) as (keyof Key)[]).every((name) => row[name] === key[name]));
const keyNames: Record<keyof Key, true> = { contender: true, protocol: true, operation: true, mode: true, store: true };

/** What must hold: over HTTP twice NestJS; Socket.IO and MQTT no slower than HTTP. */
export function barsOf(rows: readonly Row[]): Bar[] {
  const bars: Bar[] = [];
  const add = (text: string, row: Row, beside: Row, least: number) => {
    const ratio = row.requestsPerSecond / beside.requestsPerSecond;
    const disturbed = [row, beside].some(({ foreign }) => (foreign ?? 0) > mostForeign);
    bars.push({ text, ratio, least, passed: ratio >= least, disturbed });
  };
  for (const row of rows.filter(({ contender, store }) => contender === 'trigate' && store === 'memory')) {
    const where = `${row.operation}, ${row.mode}`;
    if (row.protocol === 'http') {
      const nest = find(rows, { ...row, contender: 'nestjs' });
      if (nest) add(`HTTP to NestJS (${where})`, row, nest, nestLeast);
      continue;
    }
    const http = find(rows, { ...row, protocol: 'http' });
    if (!http) continue;
    const name = row.protocol === 'mqtt' ? 'MQTT' : 'Socket.IO';
    add(`${name} to HTTP (${where})`, row, http, protocolLeast);
  }
  return bars;
}

export const machine = (): string =>
  `${availableParallelism()} cores (${cpus()[0]?.model.trim() ?? 'unknown'}), Node.js ${process.version}`;

const storeWords: Record<StoreKind, string> = {
  memory: 'memory',
  mongodb: 'MongoDB',
};

/** The rows as a Markdown table. */
export function tableOf(rows: readonly Row[]): string {
  const head = [
    'contender',
    'protocol',
    'mode',
    'store',
    'operation',
    'req/s',
    'p50 ms',
    'p99 ms',
    'CPU µs',
    'others',
    'to NestJS',
  ];
  const body = rows.map((row) => [
    row.contender,
    row.protocol,
    row.mode,
    storeWords[row.store],
    row.operation,
    Math.round(row.requestsPerSecond).toString(),
    row.p50.toFixed(2),
    row.p99.toFixed(2),
    row.cpuMicros === null ? '–' : row.cpuMicros.toFixed(0),
    row.foreign === null ? '–' : `${(row.foreign * 100).toFixed(0)} %`,
    row.toNest === null ? '–' : `${row.toNest.toFixed(2)} ×`,
    ...(row.failures > 0 ? [`${row.failures} FAILED`] : []),
  ]);
  const widths = head.map((name, column) => Math.max(name.length, ...body.map((cells) => cells[column]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => (column < 5 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join(' | ')} |`;
  const rule = line(widths.map((width, column) => (column < 5 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)));
  return [line(head), rule, ...body.map(line)].join('\n');
}

export const barLines = (bars: readonly Bar[]): string =>
  bars
    .map(({ text, ratio, least, most, passed, disturbed }) => {
      const bar = most === undefined ? `at least ${least}` : `at most ${most}`;
      return `${passed ? 'pass' : 'FAIL'}  ${ratio.toFixed(2)} × (${bar})  ${text}${disturbed ? ', disturbed' : ''}`;
    })
    .join('\n');
