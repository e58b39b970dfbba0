import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { Call } from '../../shared/contracts/index.ts';
import { connectNats } from '../../shared/fanout/nats.connection.ts';
import { createBroker } from '../../shared/runtime/broker.ts';
import { silentLog as log } from '../../shared/runtime/log.ts';
import { Stage } from '../conformance/stage.ts';
import { type Google, startGoogle } from '../servers/google/google.ts';
import type { Kind } from '../servers/google/models.ts';
import { freePort } from '../servers/ports.ts';
import { eventually } from '../system/clients/wait.ts';
import { type Distributed, startDistributed } from '../system/distributed.ts';
import { authorize, camerasOf, heardEvent, hearing } from '../system/google.ts';
import { type ProductProcess, startProduct } from '../system/process.ts';

/** What streams ask of the credentials and cameras services, of which there are two processes each. */
let google: Google;
let system: Distributed;
let second: ProductProcess;
let stage: Stage;
let call: Call;
const stops: (() => unknown)[] = [];

beforeAll(async () => {
  google = await startGoogle({ ackDeadlineMs: 1_000 });
  stops.push(() => google.stop());
  system = await startDistributed(google.env, { http: 1, socketio: 1, mqtt: 0 }, ['services-2']);
  stops.push(() => system.stop());
  const port = await freePort();
  const env = { ...system.env, METRICS_PORT: String(port) };
  const args = ['services/main.ts', 'credentials', 'cameras'];
  second = await startProduct({ name: 'second', args, env, operatorUrl: `http://127.0.0.1:${port}` });
  stops.push(() => second.stop());
  stage = await Stage.open('http', system);
  stops.push(() => stage.close());
  const connection = await connectNats([system.nats.url], 'test');
  stops.push(() => connection.close());
  const broker = createBroker({ role: 'test', log, connection });
  await broker.start();
  stops.push(() => broker.stop());
  await broker.waitForServices(['credentials', 'cameras'], 10_000);
  call = ((name: string, params: object) => broker.call(name, params)) as unknown as Call;
}, 90_000);
afterAll(async () => {
  for (const stop of stops.reverse()) await stop();
}, 30_000);
beforeEach(() => {
  google.oauth.user = randomUUID();
});

/** Credentials of a client and a user of their own, with devices. */
async function home(...kinds: Kind[]) {
  const client = google.addClient();
  const devices = kinds.map((kind) => google.addDevice(kind, { project: client.dac_project_id }));
  const { id } = await stage.create('credentials', { description: 'Home', ...client });
  expect((await authorize(stage, google, id)).status).toBe(200);
  const run = (device: string | undefined, command: string, params: Record<string, unknown> = {}) => {
    const payload = { device: device as string, command: `CameraLiveStream.${command}`, params };
    return call('credentials.command', { entity: id, payload });
  };
  return { id, devices, run };
}

type Result = Awaited<ReturnType<Awaited<ReturnType<typeof home>>['run']>>;
function resultsOf(result: Result): Record<string, unknown> {
  if (!result.ok) throw new Error(`${result.reason}: ${result.message}`);
  return result.results;
}

const offer = [
  'v=0',
  'm=audio 9 UDP/TLS/RTP/SAVPF 111',
  'a=candidate:1 1 udp 2113937151 127.0.0.1 50000 typ host',
  'm=video 9 UDP/TLS/RTP/SAVPF 96',
  'm=application 9 UDP/DTLS/SCTP webrtc-datachannel',
  '',
].join('\r\n');

test('an RTSP session is generated, extended and stopped', async () => {
  const { devices, run } = await home('legacy-camera');
  const generated = await run(devices[0], 'GenerateRtspStream');
  expect(generated).toMatchObject({
    ok: true,
    results: { streamUrls: { rtspUrl: expect.stringContaining('auth=') }, expiresAt: expect.any(String) },
  });
  const { streamExtensionToken } = resultsOf(generated);
  const extended = await run(devices[0], 'ExtendRtspStream', { streamExtensionToken });
  expect(extended).toMatchObject({ ok: true, results: { streamToken: expect.any(String) } });
  expect(await run(devices[0], 'ExtendRtspStream', { streamExtensionToken })).toMatchObject({ reason: 'session-lost' });
  const next = resultsOf(extended).streamExtensionToken;
  expect(await run(devices[0], 'StopRtspStream', { streamExtensionToken: next })).toEqual({ ok: true, results: {} });
  expect(google.live().some(({ device }) => device === devices[0])).toBe(false);
});

test('a WebRTC session is answered and extended under the same name', async () => {
  const { devices, run } = await home('wired-camera');
  const generated = await run(devices[0], 'GenerateWebRtcStream', { offerSdp: offer });
  expect(generated).toMatchObject({ ok: true, results: { answerSdp: expect.stringMatching(/^v=0/) } });
  const { mediaSessionId } = resultsOf(generated);
  const extended = await run(devices[0], 'ExtendWebRtcStream', { mediaSessionId });
  expect(extended).toMatchObject({ ok: true, results: { mediaSessionId } });
});

test('what Google refuses is told apart', async () => {
  const { devices, run } = await home('wired-camera', 'battery-doorbell', 'legacy-camera');
  const [wired, doorbell, legacy] = devices;
  const generated = await run(doorbell, 'GenerateWebRtcStream', { offerSdp: offer });
  const { mediaSessionId } = resultsOf(generated);
  expect(await run(doorbell, 'ExtendWebRtcStream', { mediaSessionId })).toMatchObject({ reason: 'unsupported' });
  expect(await run(wired, 'GenerateRtspStream')).toMatchObject({ reason: 'unsupported' });
  expect(await run(wired, 'GenerateWebRtcStream', { offerSdp: 'v=0\n' })).toMatchObject({ reason: 'invalid' });
  google.cameraOff(legacy as string, true);
  expect(await run(legacy, 'GenerateRtspStream')).toMatchObject({ reason: 'busy' });
  google.cameraOff(legacy as string, false);
  google.failNext('CameraLiveStream.GenerateRtspStream', 1, 409, 'ABORTED', 'busy');
  expect(await run(legacy, 'GenerateRtspStream')).toMatchObject({ reason: 'busy' });
  google.failNext('CameraLiveStream.GenerateRtspStream', 1);
  expect(await run(legacy, 'GenerateRtspStream')).toMatchObject({ ok: false, reason: 'unavailable' });
});

test('a device Google does not know, a Google that is not reached and a grant that ended are told apart', async () => {
  const { id, devices, run } = await home('legacy-camera');
  const [legacy] = devices;
  expect(await run(`${legacy}x`, 'GenerateRtspStream')).toMatchObject({ reason: 'gone' });
  google.offline(true);
  expect(await run(legacy, 'GenerateRtspStream')).toMatchObject({ reason: 'unavailable' });
  google.offline(false);
  google.oauth.revoke(google.oauth.user);
  expect(await run(legacy, 'GenerateRtspStream')).toMatchObject({ reason: 'unauthorized' });
  expect(await run(legacy, 'GenerateRtspStream')).toMatchObject({ reason: 'unauthorized' });
  expect(await stage.operator({ module: 'credentials', command: 'read', entity: id })).toMatchObject({ tokens: null });
});

test('two processes together send no more than Google allows', async () => {
  const { devices, run } = await home('legacy-camera', 'hub', 'legacy-doorbell', 'legacy-camera');
  const refusedBefore = google.quota.refused;
  const asked = Array.from({ length: 24 }, (_, n) => run(devices[n % 4], 'GenerateRtspStream'));
  const answers = await Promise.all(asked);
  const generated = answers.filter(({ ok }) => ok);
  expect(generated).toHaveLength(7);
  // Three of the ten are for sessions that run.
  const [running] = generated as [(typeof answers)[number]];
  const { streamExtensionToken } = resultsOf(running);
  const extended = await run(devices[answers.indexOf(running) % 4], 'ExtendRtspStream', { streamExtensionToken });
  expect(extended).toMatchObject({ ok: true });
  const refused = answers.flatMap((answer) => (answer.ok ? [] : [answer]));
  expect(new Set(refused.map(({ reason }) => reason))).toEqual(new Set(['rate-limited']));
  expect(google.quota.refused).toBe(refusedBefore);
  // Whoever lost a race for the record is told to come back soon, all others when the minute is over.
  for (const { retryAfterMs } of refused) expect(retryAfterMs).toBeGreaterThan(0);
  const late = await run(devices[0], 'GenerateRtspStream');
  expect(late).toMatchObject({ reason: 'rate-limited' });
  expect((late as { retryAfterMs: number }).retryAfterMs).toBeGreaterThan(40_000);
});

test('where Google itself says that it is too much, a device is left alone for a while', async () => {
  const { devices, run } = await home('legacy-camera', 'hub');
  google.failNext('CameraLiveStream.GenerateRtspStream', 1, 429, 'RESOURCE_EXHAUSTED', 'Rate limited for the device.');
  const sent = () => google.sdm.commands.filter(({ device }) => device === devices[0]).length;
  const first = await run(devices[0], 'GenerateRtspStream');
  expect(first).toMatchObject({ reason: 'rate-limited', message: 'Rate limited for the device.' });
  expect((first as { retryAfterMs: number }).retryAfterMs).toBeGreaterThan(55_000);
  const before = sent();
  expect(await run(devices[0], 'GenerateRtspStream')).toMatchObject({ reason: 'rate-limited' });
  expect(sent()).toBe(before);
  expect(await run(devices[1], 'GenerateRtspStream')).toMatchObject({ ok: true });
});

test('an access token that ends is renewed once, however many ask', async () => {
  const { devices, run } = await home('legacy-camera', 'hub', 'legacy-doorbell');
  const before = google.oauth.refreshed;
  google.oauth.expireAccessTokens();
  const answers = await Promise.all(devices.map((device) => run(device, 'GenerateRtspStream')));
  expect(answers.map(({ ok }) => ok)).toEqual([true, true, true]);
  expect(google.oauth.refreshed - before).toBe(1);
});

test('a device that Google no longer knows is found out by asking it', async () => {
  const { id, devices, run } = await home('legacy-camera', 'hub');
  google.removeDevice(devices[0] as string);
  expect(await run(devices[0], 'GenerateRtspStream')).toMatchObject({ reason: 'gone' });
  const vanished = await eventually(
    async () => [...(await camerasOf(stage, id)).values()].filter(({ vanished_at }) => vanished_at !== null),
    ({ length }) => length > 0,
    15_000,
  );
  expect(vanished.map(({ uid }) => uid)).toEqual([devices[0]]);
});

test('the wiring of cameras says what streams need', async () => {
  const { id } = await home('wired-camera', 'legacy-camera');
  const [camera] = [...(await camerasOf(stage, id)).values()];
  const payload = { mtx_path: stage.path(), is_enabled: true, is_persistent: true };
  await stage.operator({ module: 'cameras', command: 'update', entity: String(camera?.id), payload });
  const one = await call('cameras.wiring', { entity: String(camera?.id) });
  expect(one).toEqual({
    total: 1,
    items: [
      {
        id: camera?.id,
        name: camera?.name,
        ...payload,
        credentialId: id,
        uid: camera?.uid,
        protocols: [camera?.protocols],
        sealedSource: null,
      },
    ],
  });
  const source = await stage.camera({ mtx_path: stage.path(), is_enabled: true });
  const { items, total } = await call('cameras.wiring', { payload: { page: 1 } });
  expect(items).toHaveLength(total);
  expect(items.at(-1)).toMatchObject({
    id: source.id,
    uid: source.id,
    protocols: [],
    sealedSource: expect.stringMatching(/^v1\./),
  });
  google.removeDevice(String(camera?.uid));
  await stage.operator({ module: 'credentials', command: 'sync', entity: id });
  expect((await call('cameras.wiring', { entity: String(camera?.id) })).items[0]).toMatchObject({ is_enabled: false });
});

test('when a process dies the other goes on', async () => {
  const { devices, run } = await home('legacy-camera', 'hub');
  await second.kill('SIGKILL');
  const answer = await eventually(
    () => run(devices[0], 'GenerateRtspStream').catch(() => ({ ok: false })),
    ({ ok }) => ok,
    10_000,
  );
  expect(answer).toMatchObject({ ok: true });
  // The gateway takes processes in turn: by the second read, which is tried again, it knows which of them is gone.
  for (let n = 0; n < 2; n += 1) await stage.operator({ module: 'credentials', command: 'list' });
});

test('an event that cannot be stored is not acknowledged, and heard once when it can', async () => {
  // The process that is left reaches NATS through a link that can be cut.
  const camera = google.addDevice('wired-camera');
  const { id } = await stage.create('credentials', google.credentials({ pubsub_subscription: google.subscription }));
  const { heard, socket } = await hearing(stage, 'camera');
  try {
    expect((await authorize(stage, google, id)).status).toBe(200);
    const { pulls, deliveries, acknowledged } = google.pubsub;
    const more = (count: () => number, than: number, ms = 20_000) =>
      eventually(
        async () => count(),
        (now) => now > than,
        ms,
      );
    await more(() => google.pubsub.pulls, pulls);
    system.natsLink.cut();
    google.publish(camera, 'motion', { sessionId: 'during the cut' });
    await more(() => google.pubsub.deliveries, deliveries + 1);
    expect(google.pubsub.acknowledged).toBe(acknowledged);
    system.natsLink.restore();
    await heardEvent(heard, 'motion', 20_000);
    await more(() => google.pubsub.acknowledged, acknowledged);
    expect(heard.filter(({ details }) => details.sessionId === 'during the cut')).toHaveLength(1);
  } finally {
    system.natsLink.restore();
    socket.disconnect();
    await stage.operator({ module: 'credentials', command: 'delete', entity: id });
  }
}, 90_000);
