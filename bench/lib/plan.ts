import { parseArgs } from 'node:util';
import type { ContenderName, Mode, StoreKind } from './contender.types.ts';
import type { Operation, Protocol } from './load.types.ts';

/** More of the machine's CPU time than this for others, and a measurement says more about them. */
export const mostForeign = 0.08;

export interface Plan {
  rounds: number;
  warmupMs: number;
  durationMs: number;
  /** Requests under way at a time, whatever the protocol. */
  inFlight: number;
  /** Over which Socket.IO and MQTT spread them; HTTP has a connection for each. */
  connections: number;
  /** Milliseconds after which disturbed measurements are no longer repeated. */
  repeatForMs: number;
  /** Whether the figures of README.md are replaced by those of this run. */
  write: boolean;
  series: readonly Series[];
}

/** Contenders that take turns in the same mode and on the same store. */
export interface Series {
  mode: Mode;
  store: StoreKind;
  contenders: readonly ContenderName[];
  protocols: readonly Protocol[];
  operations: readonly Operation[];
  rounds: number;
}

const usualContenders = ['trigate', 'moleculer-web', 'nestjs'] as const;
const allContenders = [...usualContenders, 'nestjs-without-auth'] as const;
const allProtocols = ['http', 'socketio', 'mqtt'] as const;

/** @throws TypeError for an argument that is not known */
export function planOf(args: readonly string[]): Plan {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      connections: { type: 'string', default: '16' },
      mode: { type: 'string', default: 'one,distributed' },
      store: { type: 'string', default: 'memory,mongodb' },
      contenders: { type: 'string', default: usualContenders.join() },
      protocols: { type: 'string', default: allProtocols.join() },
      operations: { type: 'string', default: 'read,list' },
    },
  });
  const { quick } = values;
  const rounds = Number(values.rounds ?? (quick ? 1 : 3));
  const stores = quick ? 'memory' : values.store;
  const common = {
    contenders: pick(allContenders, values.contenders),
    protocols: pick(allProtocols, values.protocols),
    operations: pick(['read', 'list'] as const, values.operations),
    rounds,
  };
  const series: Series[] = [];
  if (stores.includes('memory')) {
    for (const mode of pick(['one process', 'distributed'] as const, values.mode)) {
      series.push({ ...common, mode, store: 'memory' });
    }
  }
  if (stores.includes('mongodb')) {
    series.push({ ...common, mode: 'distributed', store: 'mongodb', protocols: ['http'], rounds: 1 });
  }
  const durationMs = Number(values.seconds ?? (quick ? 1.5 : 2)) * 1_000;
  return {
    rounds,
    warmupMs: quick ? 1_000 : 1_200,
    durationMs,
    inFlight: 64,
    write: values.write,
    repeatForMs: quick ? 15_000 : 30_000,
    connections: Number(values.connections),
    series,
  };
}

/** The values whose first word is named. */
function pick<T extends string>(values: readonly T[], named: string): T[] {
  const names = named.split(',');
  return values.filter((value) => names.includes(value) || names.includes(value.split(' ')[0] as string));
}
