import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import { MongoClient } from 'mongodb';
import { Stage } from '../conformance/stage.ts';
import { cleanUp } from '../servers/clean-up.ts';
import { type Google, startGoogle } from '../servers/google/google.ts';
import { freePort } from '../servers/ports.ts';
import { type Distributed, startDistributed } from '../system/distributed.ts';
import { authorized, camerasOf, sync } from '../system/google.ts';
import { type ProductProcess, startProduct } from '../system/process.ts';

const run = promisify(execFile);
const cli = fileURLToPath(new URL('../../clients/cli/trigate.ts', import.meta.url));
const key = (id: string) => `${id}:${randomBytes(32).toString('base64')}`;
const [old, fresh] = [key('old'), key('fresh')];

let google: Google;
let system: Distributed;
let stage: Stage;
const later = cleanUp();

async function open(): Promise<void> {
  google = await startGoogle();
  later(() => google.stop());
  // As in production: a process that goes is asked until the gateways know the one that came.
  const env = { ...google.env, ENCRYPTION_KEYS: old, DRAIN_DELAY_MS: '2000' };
  system = await startDistributed(env, { http: 1, socketio: 1, mqtt: 0 });
  later(() => system.stop());
  stage = await Stage.open('http', system);
  later(() => stage.close());
}

/** The services that seal, with these keys. */
async function services(...keys: string[]): Promise<ProductProcess> {
  const port = await freePort();
  const env = { ...system.env, ENCRYPTION_KEYS: keys.join(), METRICS_PORT: String(port) };
  const args = ['services/main.ts', 'cameras', 'credentials', 'streams'];
  const product = await startProduct({ name: keys.join(), args, env, operatorUrl: `http://127.0.0.1:${port}` });
  later(() => product.stop());
  return product;
}

/** The ids of the keys that sealed what MongoDB holds. */
async function keysInUse(): Promise<string[]> {
  const client = await MongoClient.connect(system.env.MONGODB_URL as string);
  try {
    const texts: string[] = [];
    for (const { name } of await client.db().listCollections().toArray()) {
      const documents = await client.db().collection(name).find().toArray();
      texts.push(...documents.flatMap((document) => JSON.stringify(document).match(/"v1\.\w+\./g) ?? []));
    }
    return [...new Set(texts.map((text) => text.slice(4, -1)))].sort();
  } finally {
    await client.close();
  }
}

const trigate = (...args: string[]) =>
  run(process.execPath, [cli, ...args], {
    env: { ...process.env, TRIGATE_URL: system.httpUrls[0], TRIGATE_TOKEN: stage.people.admin.token },
    timeout: 20_000,
  });

test('keys are exchanged while everything runs, and nothing is lost', async () => {
  await open();
  google.addDevice('legacy-camera', { id: 'cam', customName: 'Porch' });
  const { id } = await authorized(stage, google);
  const own = await Promise.all(Array.from({ length: 120 }, () => stage.camera()));
  let over = false;
  const failed: unknown[] = [];
  const using = (async () => {
    for (let n = 0; !over; n += 1) {
      const entity = own[n % own.length]?.id as string;
      const payload = { source: `rtsp://viewer:pass${n}@10.0.0.1/stream` };
      for (const ask of [
        { module: 'cameras', command: 'read', entity },
        { module: 'cameras', command: 'update', entity, payload },
      ]) {
        const code = await stage.operatorCode(ask);
        if (code !== 'OK') failed.push(code);
      }
      await pause(20);
    }
  })();

  const knowing = await services(old, fresh);
  await system.processes['services-2']?.stop();
  const sealing = await services(fresh, old);
  await knowing.stop();
  const { stdout } = await trigate('rekey');
  expect(stdout).toMatch(/^cameras: 121 records, \d+ texts sealed anew$/m);
  expect(stdout).toMatch(/^credentials: 1 records, 4 texts sealed anew$/m);
  expect(stdout).toMatch(/^streams: \d+ records, [1-9]\d* texts sealed anew$/m);
  expect(await keysInUse()).toEqual(['fresh']);
  const again = await trigate('rekey');
  expect(again.stdout).toContain('cameras: 121 records, 0 texts sealed anew');

  const last = await services(fresh);
  await sealing.stop();
  over = true;
  await using;
  expect(failed).toEqual([]);
  google.oauth.expireAccessTokens();
  expect(await sync(stage, id)).toMatchObject({ devices: 1, created: 0, updated: 0 });
  expect((await camerasOf(stage, id)).get('cam')).toMatchObject({ name: 'Porch', info: { name: expect.any(String) } });
  await last.stop();
}, 90_000);
