import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startMongo } from '../../test/servers/mongodb.ts';
import type { Contender, ContenderName, StartOptions } from './contender.types.ts';
import type { LoadOptions, LoadResult, Operation, Protocol } from './load.types.ts';
import { startOurs } from './ours.ts';
import { type PeerName, startPeer } from './peers.ts';
import { mostForeign, type Plan, type Series } from './plan.ts';
import { checkAnswers, giveToPeers, type Login, prepareOurs, recordsOf } from './records.ts';

export interface Sample extends LoadResult {
  contender: ContenderName;
  mode: Series['mode'];
  store: Series['store'];
  protocol: Protocol;
  operation: Operation;
  round: number;
}

const loader = new URL('./load.ts', import.meta.url).pathname;

type Camera = Awaited<ReturnType<typeof recordsOf>>[number];
/** What one series hands from contender to contender. */
interface Shared {
  options: StartOptions;
  recordsFile: string;
  records?: Camera[];
  /** Of the peers: they serve the records of the first Trigate, and let its token in. */
  login?: Login;
}

/** Runs one series: all contenders, one after the other, as many rounds as it wants. */
export async function runSeries(series: Series, plan: Plan, progress: (line: string) => void): Promise<Sample[]> {
  const folder = await mkdtemp(join(tmpdir(), 'trigate-bench-records-'));
  const jwtSecret = randomBytes(32).toString('hex');
  const mongo = series.store === 'mongodb' ? await startMongo() : undefined;
  const samples: Sample[] = [];
  try {
    const options: StartOptions = { mode: series.mode, store: series.store, mongodbUrl: mongo?.url, jwtSecret };
    const shared: Shared = { options, recordsFile: join(folder, 'records.json') };
    for (let round = 1; round <= series.rounds; round += 1) {
      for (const name of series.contenders) {
        const taken = await runContender(name, series, plan, shared);
        for (const sample of taken) samples.push({ ...sample, round });
        progress(`${series.mode}, ${series.store}, round ${round} of ${series.rounds}: ${name}`);
      }
    }
  } finally {
    await mongo?.stop();
    await rm(folder, { recursive: true, force: true });
  }
  return samples;
}

async function runContender(name: ContenderName, series: Series, plan: Plan, shared: Shared) {
  const { options } = shared;
  const contender = await (name === 'trigate'
    ? startOurs(options)
    : startPeer(name as PeerName, options, shared.recordsFile));
  try {
    const login = name === 'trigate' ? await prepare(contender, shared) : shared.login;
    const [model] = shared.records ?? [];
    if (!login || !model) throw new Error('the peers serve the records of Trigate, which runs first');
    await checkAnswers(contender.urls.http as string, login, model, name !== 'nestjs-without-auth');
    const samples: Omit<Sample, 'round'>[] = [];
    for (const protocol of series.protocols) {
      const url = contender.urls[protocol];
      if (!url) continue;
      for (const operation of series.operations) {
        const result = await load({ protocol, operation, url, ...login }, contender, plan, options.mode);
        const { mode, store } = series;
        samples.push({ contender: name, mode, store, protocol, operation, ...result });
      }
    }
    return samples;
  } finally {
    await contender.stop();
  }
}

async function prepare(contender: Contender, shared: Shared): Promise<Login> {
  const url = contender.urls.http as string;
  const login = await prepareOurs(url);
  if (!shared.login) {
    shared.records = await recordsOf(url, login.token);
    shared.login = login;
    await giveToPeers(shared.records, shared.recordsFile, shared.options.mongodbUrl);
  }
  return login;
}

async function load(
  target: Pick<LoadOptions, 'protocol' | 'operation' | 'url' | 'token' | 'ids'>,
  contender: Contender,
  plan: Plan,
  mode: Series['mode'],
): Promise<LoadResult> {
  const { warmupMs, durationMs, inFlight, connections } = plan;
  const options: LoadOptions = {
    ...target,
    connections: Math.min(connections, inFlight),
    inFlight,
    warmupMs,
    durationMs,
    pids: contender.pids,
    helperPids: contender.helperPids,
    tokenInPayload: mode === 'distributed',
  };
  const result = await undisturbed(options, plan);
  if (result.requests === 0) throw new Error(`${target.protocol} ${target.operation}: nothing was answered`);
  return result;
}

const tries = 3;
let repeatedMs = 0;

/** Measures again while others use the machine, within bounds; the least disturbed measurement counts. */
async function undisturbed(options: LoadOptions, plan: Plan): Promise<LoadResult> {
  let best = await inProcess(options);
  for (let attempt = 2; attempt <= tries && (best.foreign ?? 0) > mostForeign; attempt += 1) {
    if (repeatedMs > plan.repeatForMs) break;
    repeatedMs += options.warmupMs + options.durationMs;
    const again = await inProcess(options);
    if ((again.foreign ?? 0) < (best.foreign ?? 0)) best = again;
  }
  return best;
}

/** @throws Error where the load process ends before it answers, or takes far too long */
function inProcess(options: LoadOptions): Promise<LoadResult> {
  const timeout = options.warmupMs + options.durationMs + 20_000;
  return new Promise((resolve, reject) => {
    const child = fork(loader, { timeout, killSignal: 'SIGKILL' });
    child.once('message', (result: LoadResult) => resolve(result));
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the load of ${options.protocol} ended with ${code}`)));
    child.send(options);
  });
}
