import { type Outcome, say } from '../lib/outcome.ts';
import { mostForeign } from '../lib/plan.ts';
import { barLines, machine } from '../lib/report.ts';
import { kinds as adapters, type MemoryKind } from './adapters.ts';
import { installAdapters, redisVersion } from './buses.ts';
import { type FanoutSample, measure } from './measure.ts';
import { type MemorySample, measureMemory } from './memory.ts';
import { type FanoutPlan, fanoutPlan } from './plan.ts';
import { cpuTable, fanoutBars, fanoutRows, fanoutTable, memoryTable } from './report.ts';

const progress = (line: string) => process.stderr.write(`${line}\n`);

/** `npm run bench -- fanout`: see bench/README.md. */
export async function fanout(args: readonly string[]): Promise<Outcome> {
  const asked = fanoutPlan(args);
  const redis = await redisVersion();
  const plan = redis ? asked : { ...asked, kinds: asked.kinds.filter((kind) => !kind.startsWith('redis')) };
  if (plan.kinds.some((kind) => kind.startsWith('redis'))) await installAdapters();
  say(`${machine()}; ${redis ? `Redis ${redis}` : 'no redis-server of 7 or newer: its adapters are left out'}`);
  const samples = await measureAll(plan);
  const memory = await measureMemories(plan);
  const rows = fanoutRows(samples);
  const bars = fanoutBars(rows, mostForeign);
  const parts = [rows.length > 0 && fanoutTable(rows), cpuTable(rows), memory.length > 0 && memoryTable(memory)];
  if (bars.length > 0) parts.push(`\`\`\`text\n${barLines(bars)}\n\`\`\``);
  return {
    name: 'fanout',
    figures: parts.filter(Boolean).join('\n\n'),
    results: { redis: redis ?? null, plan, rows, bars, memory, samples },
    passed: bars.every(({ passed }) => passed),
    write: plan.write,
  };
}

async function measureAll(plan: FanoutPlan): Promise<FanoutSample[]> {
  const samples: FanoutSample[] = [];
  for (const shape of plan.cases) {
    for (const bytes of plan.sizes) {
      for (const gateways of plan.gateways) {
        for (const kind of plan.kinds) {
          // In one room it is the writes of whole turns of the event loop that count, which differ by contender.
          if (kind === 'writes' && shape.rooms === 1) continue;
          const taken = await measure({ kind, gateways, case: shape, bytes }, plan.runMs);
          samples.push(...taken);
          progress(`${shape.name}, ${bytes} B, ${gateways} gateways, ${kind}: up to ${taken.at(-1)?.asked} messages/s`);
        }
      }
    }
  }
  return samples;
}

async function measureMemories({ idle, kinds }: FanoutPlan): Promise<MemorySample[]> {
  const samples: MemorySample[] = [];
  const all: readonly MemoryKind[] =
    idle === 0 ? [] : ['plain', ...adapters.filter((kind) => kinds.includes(kind)), 'trigate'];
  for (const kind of all) {
    samples.push(await measureMemory(kind, idle));
    progress(`memory: ${kind}`);
  }
  return samples;
}
