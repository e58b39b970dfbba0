import { execFileSync } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { startNats } from '../../test/servers/nats.ts';
import { freePort } from '../../test/servers/ports.ts';
import { start } from '../../test/servers/process.ts';
import { cpuSeconds } from '../lib/cpu.ts';
import { type Kind, kinds } from './adapters.ts';
import { Child } from './child.ts';

interface Case {
  name: string;
  clients: number;
  rooms: number;
  rates: readonly number[];
}

const cases: readonly Case[] = [
  { name: 'one room of 400', clients: 400, rooms: 1, rates: [200, 500, 1_000, 2_000, 4_000, 6_000] },
  { name: '1,000 rooms of one', clients: 1_000, rooms: 1_000, rates: [10_000, 40_000, 70_000, 100_000] },
];
const runMs = 4_000;
const settleMs = 1_500;
const say = (line: string) => process.stdout.write(`${line}\n`);

async function startBus(kind: Kind): Promise<{ port: number; stop(): Promise<void> }> {
  if (kind.startsWith('ours')) return startNats();
  const port = await freePort();
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
  const redis = await start({ name: 'redis', command: 'redis-server', args, ready: /Ready to accept connections/ });
  return { port, stop: () => redis.stop() };
}

/** One adapter, one number of gateways, one case, at all of its rates until it delivers less than it is sent. */
async function measure(kind: Kind, count: number, { name, clients, rooms, rates }: Case, bytes: number): Promise<void> {
  const bus = await startBus(kind);
  const children: Child[] = [];
  const add = async (child: Promise<Child>) => {
    children.push(await child);
    return children.at(-1) as Child;
  };
  try {
    const ports = await Promise.all(Array.from({ length: count }, () => freePort()));
    const gateways = await Promise.all(ports.map((port) => add(Child.node('./gateway.ts', kind, bus.port, port))));
    const load = await add(Child.node('./clients.ts', clients, rooms, ports.join(',')));
    const publisher = await add(Child.node('./publisher.ts', kind, bus.port));
    const pids = gateways.map(({ pid }) => pid);
    await publisher.ask(JSON.stringify({ rooms, rate: 100, ms: 500, bytes }));
    for (const rate of rates) {
      await load.ask('reset');
      const cpu = cpuSeconds(pids) ?? 0;
      const began = performance.now();
      const { sent = 0 } = await publisher.ask(JSON.stringify({ rooms, rate, ms: runMs, bytes }));
      const atEnd = await load.ask('read');
      const seconds = (performance.now() - began) / 1_000;
      const used = (cpuSeconds(pids) ?? 0) - cpu;
      await delay(settleMs);
      const { delivered = 0, p50 = 0, p99 = 0 } = await load.ask('read');
      const expected = (sent * clients) / rooms;
      const perSecond = (atEnd.delivered ?? 0) / seconds;
      const micros = (used / Math.max(1, atEnd.delivered ?? 0)) * 1e6;
      say(
        `${name} | ${kind} | ${count} gateways | ${bytes} B | asked ${rate}/s, sent ${Math.round((sent / runMs) * 1_000)}/s | ` +
          `${Math.round(perSecond / 1_000)}k delivered/s, ${((delivered / expected) * 100).toFixed(1)} % in the end | ` +
          `p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms | ${micros.toFixed(2)} µs and ` +
          `${((used / seconds / count) * 100).toFixed(0)} % of a core per gateway`,
      );
      // Saturated: what is still on its way would count for the next rate.
      if (delivered < expected * 0.99 || p99 > 2_000) break;
    }
  } finally {
    await Promise.all(children.map((child) => child.stop()));
    await bus.stop();
  }
}

/** `node bench/fanout/main.ts [kinds] [gateways] [case number] [bytes]`, lists by comma. */
async function main(): Promise<void> {
  const [wanted = kinds.join(), gateways = '2,4', which = '1,2', bytes = '64'] = process.argv.slice(2);
  const peers = new URL('./peers', import.meta.url).pathname;
  execFileSync('npm', ['install', '--silent', '--no-audit', '--no-fund'], { cwd: peers, stdio: 'inherit' });
  for (const number of which.split(',')) {
    for (const size of bytes.split(',')) {
      for (const count of gateways.split(',')) {
        for (const kind of wanted.split(',') as Kind[]) {
          await measure(kind, Number(count), cases[Number(number) - 1] as Case, Number(size));
        }
      }
    }
  }
}

await main();
