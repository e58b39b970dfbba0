import { availableParallelism } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../../test/servers/ports.ts';
import { cpuSeconds, machineSeconds } from '../lib/cpu.ts';
import { mostForeign } from '../lib/plan.ts';
import type { Kind } from './adapters.ts';
import { startBus } from './buses.ts';
import { Child } from './child.ts';
import type { Run } from './pace.ts';
import type { Case } from './plan.ts';

/** An adapter, or the writes to the sockets alone, which no adapter can be below. */
export type Contender = Kind | 'writes';

/** One contender, one number of gateways, one case and size. */
export interface Setup {
  kind: Contender;
  gateways: number;
  case: Case;
  bytes: number;
}

export interface FanoutSample {
  contender: Contender;
  gateways: number;
  case: string;
  bytes: number;
  /** Messages per second that were asked for, and that the publisher managed. */
  asked: number;
  sent: number;
  /** What arrived in the end, by the time for which it was sent. */
  deliveredPerSecond: number;
  /** Of what was sent, in the end. */
  share: number;
  p50: number;
  p99: number;
  /** CPU of the gateways and of NATS or Redis per message and receiver; null where that is too little to tell. */
  gatewayMicros: number | null;
  busMicros: number | null;
  /** Of a core, each gateway. */
  gatewayLoad: number | null;
  /** Share of the machine that processes outside the bench had. */
  foreign: number | null;
}

const warmup = { rate: 400, ms: 1_000 };
/** Milliseconds for what is on its way when the publisher ends. */
const settleMs = 1_500;
/** A rate is held where all of it arrives, and soon. */
const leastShare = 0.99;
const mostMs = 250;
/** Seconds; the system tells in hundredths, so that fewer say little. */
const leastCpu = 0.1;

const disturbedPauseMs = 1_000;

const disturbed = ({ foreign }: FanoutSample): boolean => (foreign ?? 0) > mostForeign;
export const held = ({ share, p99 }: FanoutSample): boolean => share >= leastShare && p99 <= mostMs;

interface Cluster {
  gateways: Child[];
  load: Child;
  /** Absent where there are only writes: the gateways are told to send by themselves there. */
  bus?: { pid: number };
  publisher?: Child;
}

async function publish({ publisher, gateways }: Cluster, asked: Run): Promise<number> {
  if (publisher) return (await publisher.ask(JSON.stringify(asked))).sent ?? 0;
  const part = JSON.stringify({ ...asked, rate: asked.rate / gateways.length });
  const told = await Promise.all(gateways.map((gateway) => gateway.ask(part)));
  return told.reduce((sum, { sent = 0 }) => sum + sent, 0);
}

/** Climbs the rates until one is not held: what is still on its way would count for the next. */
export async function measure(setup: Setup, runMs: number): Promise<FanoutSample[]> {
  const samples: FanoutSample[] = [];
  await withCluster(setup, async (cluster) => {
    const { rooms, rates } = setup.case;
    await publish(cluster, { rooms, ...warmup, bytes: setup.bytes });
    for (const rate of rates) {
      let sample = await run(cluster, setup, rate, runMs);
      // Others had the machine: that says nothing about the adapter.
      for (let again = 0; again < 2 && !held(sample) && disturbed(sample); again += 1) {
        await delay(disturbedPauseMs);
        sample = await run(cluster, setup, rate, runMs);
      }
      samples.push(sample);
      if (!held(sample)) return;
    }
  });
  return samples;
}

async function withCluster(setup: Setup, use: (cluster: Cluster) => Promise<void>): Promise<void> {
  const { kind, gateways: count, case: shape } = setup;
  const bus = kind === 'writes' ? undefined : await startBus(kind);
  const children: Child[] = [];
  const add = async (starting: Promise<Child>) => {
    const child = await starting;
    children.push(child);
    return child;
  };
  try {
    const ports: number[] = [];
    const gateways: Child[] = [];
    // One after the other, so that no two are given the same port.
    while (gateways.length < count) {
      const port = await freePort();
      const starting = bus ? Child.node('./gateway.ts', kind, bus.port, port) : Child.node('./writes.ts', port);
      gateways.push(await add(starting));
      ports.push(port);
    }
    const load = await add(Child.node('./clients.ts', shape.clients, shape.rooms, ports.join(',')));
    const publisher = bus && (await add(Child.node('./publisher.ts', kind, bus.port)));
    await use({ gateways, load, ...(bus && { bus }), ...(publisher && { publisher }) });
  } finally {
    await Promise.all(children.map((child) => child.stop()));
    await bus?.stop();
  }
}

async function run(cluster: Cluster, setup: Setup, rate: number, ms: number) {
  const { bus, gateways, load, publisher } = cluster;
  const { rooms, clients, name } = setup.case;
  const pids = gateways.map(({ pid }) => pid);
  const cpu = () => ({
    gateways: cpuSeconds(pids),
    bus: cpuSeconds(bus ? [bus.pid] : []),
    bench: cpuSeconds([...pids, ...[bus, load, publisher].flatMap((one) => one?.pid ?? []), process.pid]),
    machine: machineSeconds(),
  });
  await load.ask('reset');
  const before = cpu();
  const began = performance.now();
  const sent = await publish(cluster, { rooms, rate, ms, bytes: setup.bytes });
  const atEnd = (await load.ask('read')).delivered ?? 0;
  const seconds = (performance.now() - began) / 1_000;
  const after = cpu();
  const expected = (sent * clients) / rooms;
  const { delivered = 0, p50 = 0, p99 = 0 } = await settled(load, expected);
  const used = (key: keyof typeof before): number | null =>
    before[key] === null || after[key] === null ? null : after[key] - before[key];
  const micros = (spent: number | null) =>
    spent === null || spent < leastCpu ? null : (spent / Math.max(1, atEnd)) * 1e6;
  const [spent, bench, machine] = [used('gateways'), used('bench'), used('machine')];
  const available = seconds * availableParallelism();
  return {
    contender: setup.kind,
    gateways: gateways.length,
    case: name,
    bytes: setup.bytes,
    asked: rate,
    sent: sent / (ms / 1_000),
    deliveredPerSecond: delivered / (ms / 1_000),
    share: delivered / Math.max(1, expected),
    p50,
    p99,
    gatewayMicros: micros(spent),
    busMicros: micros(used('bus')),
    gatewayLoad: spent === null ? null : spent / seconds / gateways.length,
    foreign: bench === null || machine === null ? null : Math.max(0, (machine - bench) / available),
  };
}

async function settled(load: Child, expected: number): Promise<Record<string, number>> {
  const deadline = performance.now() + settleMs;
  for (;;) {
    const read = await load.ask('read');
    if ((read.delivered ?? 0) >= expected || performance.now() > deadline) return read;
    await delay(50);
  }
}
