import { isDeepStrictEqual } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { ServiceEvent } from '../../shared/fanout/bus.ts';
import { Stage } from '../conformance/stage.ts';
import { type Google, startGoogle } from '../servers/google/google.ts';
import type { Kind } from '../servers/google/models.ts';
import { type MediaServer, startMediaServer } from '../servers/media-server.ts';
import { type CameraSource, cameraSource, decodeFrames, publishPattern } from '../servers/video.ts';
import { calmly } from '../system/calm.ts';
import { cameraEnv, mediaServerKinds, type Urls } from '../system/cameras.ts';
import { openMqtt } from '../system/clients/mqtt.client.ts';
import { eventually } from '../system/clients/wait.ts';
import { authorized, camerasOf, hearing, sync } from '../system/google.ts';
import { startOneProcess } from '../system/one-process.ts';
import { Cleanup, type System } from '../system/system.ts';

/** How many times faster than Google's the stand-in's clock goes: a session lasts 5 s. */
const clockFactor = 60;
const hourMs = 3_600_000 / clockFactor;

describe.each(mediaServerKinds)('cameras of Google through $kind', ({ real }) => {
  const cleanup = new Cleanup();
  let google: Google;
  let media: MediaServer;
  let source: CameraSource;
  /** Answers WebRTC offers with real media, where the real server is there to do it. */
  let peer: MediaServer | undefined;
  let system: System;
  let stage: Stage;
  let credentials: { id: string };
  let heard: ServiceEvent[];
  const heardOnMqtt: { topic: string; body: ServiceEvent }[] = [];
  let count = 0;

  beforeAll(async () => {
    source = cleanup.add(await cameraSource(), (one) => one.stop());
    if (real) {
      peer = cleanup.add(await startMediaServer({ real, paths: { live: {} } }), (one) => one.stop());
      cleanup.add(await publishPattern(`${peer.rtspUrl}/live`), (one) => one.stop());
    }
    google = cleanup.add(
      await startGoogle({ clockFactor, rtspSource: () => source.url, ...(peer && { webrtcAnswer: answerOf(peer) }) }),
      (one) => one.stop(),
    );
    media = cleanup.add(await startMediaServer({ real, config: { webrtcIPsFromInterfaces: true } }), (one) =>
      one.stop(),
    );
    system = cleanup.add(await startOneProcess({ ...cameraEnv(media.apiUrl), ...google.env }), (one) => one.stop());
    stage = cleanup.add(await Stage.open('http', system), (one) => one.close());
    credentials = await authorized(stage, google);
    const hears = await hearing(stage, 'camera');
    heard = hears.heard;
    cleanup.add(hears.socket, (one) => one.disconnect());
    const mqtt = cleanup.add(await openMqtt(system.mqttUrls[0] as string), (one) => one.endAsync(true));
    await mqtt.subscribeAsync('/nestmtx/events/camera/#', { qos: 1 });
    mqtt.on('message', (topic, payload) => heardOnMqtt.push({ topic, body: JSON.parse(payload.toString()) }));
  }, 60_000);
  afterAll(() => cleanup.run(), 30_000);
  afterEach(() => {
    heard.length = 0;
  });

  /** A device that Google shares, as a camera that is enabled and on the media server. */
  async function shared(kind: Kind, more: object = {}): Promise<{ id: string; device: string; path: string }> {
    count += 1;
    const path = `google-${count}`;
    const device = google.addDevice(kind, { id: path, room: 'Hall' });
    await sync(stage, credentials.id);
    const { id } = (await camerasOf(stage, credentials.id)).get(path) as { id: string };
    const payload = { mtx_path: path, is_enabled: true, ...more };
    await stage.operator({ module: 'cameras', command: 'update', entity: id, payload });
    await eventually(
      () => stage.operatorCode({ module: 'streams', command: 'create', payload: { camera: id } }),
      (code) => code === 'OK',
      10_000,
    );
    return { id, device, path };
  }

  const urls = (camera: string): Promise<Urls> =>
    stage.operator({ module: 'streams', command: 'create', payload: { camera } });
  const watch = async (camera: string, frames: number, ms: number) =>
    decodeFrames((await urls(camera)).rtsp as string, frames, ms);
  const stream = (entity: string) =>
    stage.operator<{ state: string; problem: string | null }>({ module: 'streams', command: 'read', entity });
  const told = (camera: string, event: string) => heard.filter((one) => one.entity === camera && one.event === event);
  /** The events of this name of a camera, as Socket.IO told them, each with these details, over MQTT too. */
  const toldOnBoth = async (camera: string, event: string, details: object) => {
    for (const body of told(camera, event)) {
      expect(body).toEqual({ domain: 'camera', event, entity: camera, details, at: expect.any(String) });
      const topic = `/nestmtx/events/camera/${camera}/${event}`;
      await eventually(
        async () => heardOnMqtt,
        (all) => all.some((one) => one.topic === topic && isDeepStrictEqual(one.body, body)),
        5_000,
      );
    }
  };
  const tells = (camera: string, event: string, times: number, ms = 15_000) =>
    eventually(
      async () => told(camera, event).length,
      (length) => length >= times,
      ms,
    );

  test('an RTSP device is generated when somebody watches, extended while they do, and stopped after', async () => {
    const { id } = await shared('legacy-camera');
    const before = { ...google.counts };
    const decoded = await watch(id, 80, 20_000);
    console.info(`Google RTSP: first picture after ${decoded.firstMs} ms`);
    expect(decoded.frames).toBe(80);
    expect(decoded.firstMs).toBeLessThan(calmly(3_000));
    await tells(id, 'extended', 1);
    await toldOnBoth(id, 'extended', { name: 'Hall Camera', expiresAt: expect.any(String) });
    await eventually(
      async () => google.counts.stopped - before.stopped,
      (stopped) => stopped === 1,
      30_000,
    );
    expect(google.counts.generated - before.generated).toBe(1);
    // What the media server said of its paths is believed for two seconds.
    const record = await eventually(
      () => stage.operator({ module: 'cameras', command: 'read', entity: id }),
      ({ status }) => status === 'stopped',
      5_000,
    );
    expect(record.url_rtsp_tcp).toMatch(/^rtsp:\/\/<window.location.origin>:\d+\/google-\d+$/);
  }, 60_000);

  test('an RTSP device gives pictures over HLS', async () => {
    const { id } = await shared('legacy-camera');
    const { stopped } = google.counts;
    const { hls } = await urls(id);
    const decoded = await decodeFrames(hls as string, 5, 20_000);
    console.info(`Google over HLS: first picture after ${decoded.firstMs} ms`);
    expect(decoded.frames).toBe(5);
    expect(decoded.firstMs).toBeLessThan(calmly(3_000));
    await stage.operator({ module: 'cameras', command: 'update', entity: id, payload: { is_enabled: false } });
    await eventually(
      async () => google.counts.stopped - stopped,
      (count) => count === 1,
      30_000,
    );
  }, 90_000);

  test(
    'an hour of extensions goes by without a gap for who watches',
    async () => {
      const { id } = await shared('legacy-camera', { is_persistent: true });
      const before = { ...google.counts };
      const expected = (hourMs / 1_000) * 10;
      const decoded = await watch(id, expected, hourMs + 15_000);
      const extended = google.counts.extended - before.extended;
      console.info(`an hour at factor ${clockFactor}: ${decoded.frames} pictures, ${extended} extensions`);
      expect(decoded.frames).toBe(expected);
      expect(extended).toBeGreaterThanOrEqual(12);
      expect(google.counts.generated - before.generated).toBeLessThanOrEqual(1);
      expect(told(id, 'failed-extension')).toEqual([]);
      expect(told(id, 'notReady')).toEqual([]);
      const status = await stage.operator({ module: 'cameras', command: 'read', entity: id });
      expect(status).toMatchObject({ status: 'running', stream_ready: true, stream_track_count: 1 });
      await stage.operator({ module: 'cameras', command: 'update', entity: id, payload: { is_enabled: false } });
    },
    hourMs + 60_000,
  );

  test('a camera that is off says so, and gives a picture once it is on', async () => {
    const { id, device } = await shared('legacy-camera', { is_enabled: true });
    google.cameraOff(device, true);
    // What is seen meanwhile is the picture that says so.
    expect(await watch(id, 5, 25_000)).toMatchObject({ frames: 5 });
    const { state, problem } = await stream(id);
    expect([state, problem]).toEqual(['failed', expect.any(String)]);
    expect(told(id, 'ready')).toEqual([]);
    google.cameraOff(device, false);
    await tells(id, 'ready', 1, 40_000);
    expect(await watch(id, 5, 25_000)).toMatchObject({ frames: 5 });
    expect(await stream(id)).toMatchObject({ state: 'ready', problem: null });
  }, 120_000);

  test('a WebRTC device is asked in the form Google wants, by the offer of the media server', async () => {
    const { id } = await shared('wired-camera');
    const before = { ...google.counts };
    const decoded = await watch(id, 50, 25_000);
    console.info(`Google WebRTC: first picture after ${decoded.firstMs} ms`);
    expect(decoded.frames).toBe(50);
    await tells(id, 'extended', 1);
    expect(google.counts.generated - before.generated).toBe(1);
    await eventually(
      async () => google.counts.stopped - before.stopped,
      (stopped) => stopped === 1,
      30_000,
    );
  }, 90_000);

  test('a battery doorbell, which cannot be extended, has one session after another', async () => {
    const { id } = await shared('battery-doorbell', { is_persistent: true });
    const before = google.counts.generated;
    await eventually(
      async () => google.counts.generated - before,
      (generated) => generated >= 3,
      30_000,
    );
    expect(told(id, 'failed-extension').length).toBeGreaterThan(0);
    await toldOnBoth(id, 'failed-extension', { name: expect.any(String), error: expect.any(String) });
    expect(await watch(id, 5, 10_000)).toMatchObject({ frames: 5 });
    await stage.operator({ module: 'cameras', command: 'update', entity: id, payload: { is_enabled: false } });
  }, 90_000);
});

/** The answer of a real server to the offer that Google would get: real media over WebRTC. */
function answerOf(peer: MediaServer) {
  return async (offer: string): Promise<string> => {
    const headers = { 'content-type': 'application/sdp' };
    const response = await fetch(`${peer.webrtcUrl}/live/whep`, { method: 'POST', headers, body: offer });
    if (response.status !== 201) throw new Error(`${response.status} ${await response.text()}`);
    return response.text();
  };
}
