import { parseArgs } from 'node:util';
import { kinds } from './adapters.ts';
import type { Contender } from './measure.ts';

export interface Case {
  name: string;
  clients: number;
  rooms: number;
  /** Messages per second; the first is for the latency, the others climb until one is not held. */
  rates: readonly number[];
}

export interface FanoutPlan {
  cases: readonly Case[];
  /** Characters of a message beside its name and its time. */
  sizes: readonly number[];
  gateways: readonly number[];
  kinds: readonly Contender[];
  /** Milliseconds for which a rate is kept up. */
  runMs: number;
  /** Idle connections to one server; 0 leaves memory out. */
  idle: number;
  /** Whether the figures of README.md are replaced by those of this run. */
  write: boolean;
}

/** Messages per second of the rows that are about latency. */
export const latencyRate = 200;

const room = { name: 'one room of 400', clients: 400, rooms: 1 };
const rooms = { name: '1,000 rooms of one', clients: 1_000, rooms: 1_000 };
const cases: Record<'room' | 'rooms', Case> = {
  room: { ...room, rates: [latencyRate, 400, 600, 800, 1_200, 1_600, 2_400, 3_200, 4_800, 6_400] },
  rooms: { ...rooms, rates: [latencyRate, 10_000, 20_000, 40_000, 60_000, 80_000, 100_000, 120_000, 140_000] },
};
const quickRates = {
  room: [latencyRate, 400, 1_600, 4_800],
  rooms: [latencyRate, 20_000, 60_000, 100_000],
};

const contenders = [...kinds, 'writes'] as const;

const numbers = (text: string): number[] => text.split(',').map(Number);

/** @throws TypeError for an argument that is not known */
export function fanoutPlan(args: readonly string[]): FanoutPlan {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
      cases: { type: 'string', default: 'room,rooms' },
      sizes: { type: 'string', default: '64,1024' },
      gateways: { type: 'string' },
      kinds: { type: 'string', default: contenders.join() },
      seconds: { type: 'string' },
      idle: { type: 'string' },
    },
  });
  const { quick } = values;
  const named = values.cases.split(',');
  const wanted = values.kinds.split(',');
  return {
    cases: (['room', 'rooms'] as const)
      .filter((name) => named.includes(name))
      .map((name) => ({ ...cases[name], ...(quick && { rates: quickRates[name] }) })),
    sizes: numbers(values.sizes),
    gateways: numbers(values.gateways ?? (quick ? '2' : '2,4')),
    kinds: contenders.filter((kind) => wanted.includes(kind)),
    runMs: Number(values.seconds ?? (quick ? 1 : 2)) * 1_000,
    idle: Number(values.idle ?? (quick ? 500 : 2_000)),
    write: values.write,
  };
}
