import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Stage } from '../conformance/stage.ts';
import { type Google, startGoogle } from '../servers/google/google.ts';
import { type MediaServer, startMediaServer } from '../servers/media-server.ts';
import { type CameraSource, cameraSource, decodeFrames } from '../servers/video.ts';
import { cameraEnv, mediaServerKinds, type Urls } from '../system/cameras.ts';
import { eventually } from '../system/clients/wait.ts';
import { authorized, camerasOf, sync } from '../system/google.ts';
import { startOneProcess } from '../system/one-process.ts';
import { seen } from '../system/pictures.ts';
import { Cleanup } from '../system/system.ts';

/** Milliseconds Google takes: longer than it is waited for. */
const silentMs = 20_000;

/** Why a camera gives no picture, as viewers see it: decoded frames are compared with the pictures. */
describe.each(mediaServerKinds)('a viewer of $kind sees why a camera gives no picture:', ({ real }) => {
  const cleanup = new Cleanup();
  let google: Google;
  let stage: Stage;
  let media: MediaServer;
  let source: CameraSource;
  let credentials: { id: string };

  beforeAll(async () => {
    source = cleanup.add(await cameraSource(), (one) => one.stop());
    google = cleanup.add(await startGoogle({ limits: false, rtspSource: () => source.url }), (one) => one.stop());
    media = cleanup.add(await startMediaServer({ real }), (one) => one.stop());
    const env = { ...cameraEnv(media.apiUrl), ...google.env };
    const system = cleanup.add(await startOneProcess(env), (one) => one.stop());
    stage = cleanup.add(await Stage.open('http', system), (one) => one.close());
    credentials = await authorized(stage, google);
  }, 60_000);
  afterAll(() => cleanup.run(), 30_000);

  /** A device that Google shares, as a camera that is enabled and on the media server. */
  async function shared(begins: string): Promise<{ id: string; device: string; rtsp: string }> {
    const name = `${begins}-${randomUUID()}`;
    const device = google.addDevice('legacy-camera', { id: name });
    await sync(stage, credentials.id);
    const { id } = (await camerasOf(stage, credentials.id)).get(name) as { id: string };
    const payload = { mtx_path: name, is_enabled: true };
    await stage.operator({ module: 'cameras', command: 'update', entity: id, payload });
    await eventually(
      () => stage.operatorCode({ module: 'streams', command: 'create', payload: { camera: id } }),
      (code) => code === 'OK',
      10_000,
    );
    return { id, device, rtsp: (await urls(id)).rtsp as string };
  }
  const urls = (camera: string): Promise<Urls> =>
    stage.operator({ module: 'streams', command: 'create', payload: { camera } });

  test('it is being asked while Google does not answer, and off when that took too long, without a break', async () => {
    const { rtsp } = await shared('slow');
    google.slow(silentMs);
    const waiting = await decodeFrames(rtsp, 40, 30_000);
    console.info(`first picture after ${waiting.firstMs} ms, where Google does not answer`);
    expect(waiting).toMatchObject({ frames: 40, error: '' });
    expect(seen(waiting)).toEqual(['connecting', 'off']);
    google.slow(0);
    // As soon as the camera delivers, it has the path.
    await eventually(
      async () => seen(await decodeFrames(rtsp, 5)),
      (names) => names.at(-1) === 'live',
      20_000,
    );
  }, 60_000);

  test('it is off', async () => {
    const { device, rtsp } = await shared('off');
    google.cameraOff(device, true);
    expect(seen(await decodeFrames(rtsp, 10))).toEqual(['off']);
  }, 60_000);
});
