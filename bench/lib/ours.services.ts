/**
 * All seven services in one process over NATS like `npm run service`, but from memory: the only thing of the product
 * that the bench replaces, because the store would otherwise be most of what is measured.
 */
import { type ServiceName, services } from '../../services/index.ts';
import { runServices } from '../../services/run.ts';
import { createLog } from '../../shared/runtime/log.ts';
import { configOrExit } from '../../shared/runtime/start.ts';
import { openMemory } from '../../shared/store/file.collections.ts';

const role = 'service-bench';
// The role demands a database; nothing connects to it.
const config = configOrExit('services', { ...process.env, MONGODB_URL: 'mongodb://127.0.0.1/unused' });
await runServices({
  names: Object.keys(services) as ServiceName[],
  role,
  config,
  log: createLog(config.logLevel, role),
  stores: openMemory(),
  checks: {},
  announce: () => undefined,
  byNpm: false,
});
