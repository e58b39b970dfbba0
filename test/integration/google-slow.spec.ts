import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Stage } from '../conformance/stage.ts';
import { type Google, startGoogle } from '../servers/google/google.ts';
import { type MediaServer, startMediaServer } from '../servers/media-server.ts';
import { type CameraSource, cameraSource, decodeFrames } from '../servers/video.ts';
import { calmly } from '../system/calm.ts';
import { addCamera, cameraEnv, logIn, type Owner } from '../system/cameras.ts';
import { eventually } from '../system/clients/wait.ts';
import { authorized, camerasOf, sync } from '../system/google.ts';
import { startOneProcess } from '../system/one-process.ts';
import { Cleanup } from '../system/system.ts';

/** Homes and cameras of each: together more than are looked after at a time in one process. */
const [homes, perHome] = [5, 8];
/** Milliseconds Google takes: less than the eight seconds it is waited for. */
const slowMs = 7_000;

const cleanup = new Cleanup();
let source: CameraSource;
let media: MediaServer;
let google: Google;
let stage: Stage;
let admin: Owner;

beforeAll(async () => {
  source = cleanup.add(await cameraSource(), (one) => one.stop());
  media = cleanup.add(await startMediaServer({ real: false }), (one) => one.stop());
  google = cleanup.add(await startGoogle({ limits: false, clockFactor: 60, rtspSource: () => source.url }), (one) =>
    one.stop(),
  );
  const env = { ...cameraEnv(media.apiUrl), ...google.env };
  const system = cleanup.add(await startOneProcess(env), (one) => one.stop());
  stage = cleanup.add(await Stage.open('http', system), (one) => one.close());
  admin = cleanup.add(await logIn(system), (one) => one.close());
}, 60_000);
afterAll(() => cleanup.run(), 30_000);

/** Cameras of a Google project of their own, with names that begin alike. */
async function home(name: string): Promise<{ id: string; name: string }[]> {
  const client = google.addClient();
  const ids = Array.from({ length: perHome }, (_, n) => `${name}-${n}`);
  for (const id of ids) google.addDevice('legacy-camera', { id, project: client.dac_project_id });
  const { id: credentials } = await authorized(stage, google, client);
  await sync(stage, credentials);
  const cameras = await camerasOf(stage, credentials);
  return ids.map((id) => ({ id: (cameras.get(id) as { id: string }).id, name: id }));
}

test('a camera that needs no Google is served in time while forty others wait for it', async () => {
  const tag = randomUUID().slice(0, 8);
  const door = await addCamera(admin, { mtx_path: `door-${tag}`, source: source.url });
  google.slow(0);
  const cameras = (await Promise.all(Array.from({ length: homes }, (_, n) => home(`${tag}-${n}`)))).flat();
  google.slow(slowMs);
  const payload = { is_enabled: true, is_persistent: true };
  const update = ({ id: entity, name }: { id: string; name: string }) =>
    stage.operator({ module: 'cameras', command: 'update', entity, payload: { ...payload, mtx_path: name } });
  await Promise.all(cameras.map(update));
  const asked = () => google.sdm.commands.filter(({ device }) => device.includes(tag)).length;
  await eventually(
    async () => asked(),
    (count) => count >= 32,
    5_000,
  );
  const { rtsp } = await admin.call('streams.create', { payload: { camera: door.id } });
  const decoded = await decodeFrames(rtsp as string, 5);
  console.info(`RTSP: first picture after ${decoded.firstMs} ms while ${asked()} cameras wait for Google`);
  expect(decoded).toMatchObject({ frames: 5, error: '' });
  expect(decoded.firstMs).toBeLessThan(calmly(3_000));
}, 60_000);
