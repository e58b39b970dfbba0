import { createLog } from '../shared/runtime/log.ts';
import { exitOnSurprises } from '../shared/runtime/shutdown.ts';
import { configOrExit, exitWith } from '../shared/runtime/start.ts';
import { openMongo } from '../shared/store/mongo.collections.ts';
import { type ServiceName, services } from './index.ts';
import { runServices } from './run.ts';

/** `npm run service -- auth users`: one or more services in this process, over NATS and MongoDB. */
async function main(): Promise<void> {
  const names = process.argv.slice(2);
  const known = Object.keys(services);
  const unknown = names.find((name) => !known.includes(name));
  if (names.length === 0 || unknown !== undefined) {
    exitWith(`${unknown ? `there is no service ${unknown}` : 'which service?'} (known: ${known.join(', ')})`);
  }
  const config = configOrExit('services', process.env);
  const role = `service-${names.join('-')}`;
  const log = createLog(config.logLevel, role);
  exitOnSurprises(log);
  const stores = await openMongo(config.mongodbUrl as string);
  await runServices({
    names: names as ServiceName[],
    role,
    config,
    log,
    stores,
    checks: { mongodb: () => stores.healthy() },
    announce: (line) => process.stdout.write(`${line}\n`),
    byNpm: process.env.npm_lifecycle_event !== undefined,
  });
}

await main().catch((error: Error) => exitWith(error.message));
