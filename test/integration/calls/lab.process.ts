import { connectNats } from '../../../shared/fanout/nats.connection.ts';
import { createBroker } from '../../../shared/runtime/broker.ts';
import { implement } from '../../../shared/runtime/implement.ts';
import { silentLog } from '../../../shared/runtime/log.ts';
import { labContract } from './lab.contract.ts';

/** The lab service in a process of its own, so that it can be killed. Prints a line per call of `hang` and `create`. */
const [url, name] = process.argv.slice(2) as [string, string];
const say = (line: string) => process.stdout.write(`${line}\n`);
const forever = () => new Promise<never>(() => undefined);

const broker = createBroker({ role: `lab-${name}`, log: silentLog, connection: await connectNats([url], name) });
const handlers = {
  lab: {
    read: async () => name,
    create: async ({ payload }: { payload: { name: string } }) => {
      say(`created ${payload.name}`);
      return { ...payload, secret: 'x' };
    },
    list: async ({ payload }: { payload: { letters: number } }) => ({ letters: 'x'.repeat(payload.letters) }),
    hang: () => {
      say('hanging');
      return forever();
    },
    break: () => Promise.reject(new TypeError('password=hunter2 is not a function')),
    narrow: forever,
  },
};
for (const schema of implement(labContract, handlers, silentLog)) broker.createService(schema);
await broker.start();
say('ready');
