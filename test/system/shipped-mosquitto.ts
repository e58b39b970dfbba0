import { globSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type MosquittoServer, startMosquitto } from '../servers/mosquitto.ts';

const docs = new URL('../../docs/mqtt/', import.meta.url);

/** Who logs in at the broker: the gateways, and a client that hears what administrators hear. */
export const brokerUsers = { 'trigate-gateway': 's3cret-gateway', overseer: 's3cret-overseer' } as const;

/** mosquitto.conf as it is shipped, with the paths of this machine and without what `startMosquitto` sets itself. */
async function shippedLines(dynsecFile: string): Promise<string[]> {
  const [plugin] = globSync('/usr/lib/{*/,}mosquitto_dynamic_security.so');
  if (!plugin) throw new Error("Mosquitto's dynamic security plugin is needed (Debian's package has it)");
  const own = /^(listener|allow_anonymous|password_file|persistence|persistence_location) /;
  return (await readFile(new URL('mosquitto.conf', docs), 'utf8'))
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#') && !own.test(line))
    .map((line) => line.replace(/^plugin .*/, `plugin ${plugin}`))
    .map((line) => line.replace(/^plugin_opt_config_file .*/, `plugin_opt_config_file ${dynsecFile}`));
}

/** A Mosquitto with the access rules an operator gets, and one further user beside the gateways. */
export async function startShippedMosquitto(): Promise<MosquittoServer> {
  const directory = await mkdtemp(join(tmpdir(), 'trigate-dynsec-'));
  const remove = () => rm(directory, { recursive: true, force: true });
  try {
    const config = JSON.parse(await readFile(new URL('mosquitto-dynsec.json', docs), 'utf8'));
    const roles = ['trigate-client', 'trigate-admin'].map((rolename) => ({ rolename }));
    config.clients.push({ username: 'overseer', roles });
    const file = join(directory, 'dynsec.json');
    await writeFile(file, JSON.stringify(config));
    const lines = await shippedLines(file);
    const broker = await startMosquitto({ passwords: { ...brokerUsers }, anonymous: true, lines, packetLog: false });
    return {
      url: broker.url,
      port: broker.port,
      get pid() {
        return broker.pid;
      },
      kill: (signal) => broker.kill(signal),
      restart: () => broker.restart(),
      stop: async () => {
        await broker.stop();
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}
