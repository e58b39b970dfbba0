import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Stage } from '../conformance/stage.ts';
import { type Google, startGoogle } from '../servers/google/google.ts';
import { eventually } from '../system/clients/wait.ts';
import { authorized, heardEvent, hearing, sync } from '../system/google.ts';
import { startOneProcess } from '../system/one-process.ts';
import type { System } from '../system/system.ts';

/** At this pace an access token lives for fifteen seconds. */
const clockFactor = 240;
let google: Google;
let system: System;
let stage: Stage;

beforeAll(async () => {
  google = await startGoogle({ clockFactor });
  system = await startOneProcess(google.env);
  stage = await Stage.open('http', system);
}, 60_000);
afterAll(async () => {
  await stage?.close();
  await system?.stop();
  await google?.stop();
}, 30_000);

test('tokens that nobody uses are renewed before they end, also after the process was killed', async () => {
  const { heard, socket } = await hearing(stage, 'credentials');
  const { id } = await authorized(stage, google, google.addClient());
  expect(await heardEvent(heard, 'reauthenticated', 20_000)).toMatchObject({ entity: id });
  socket.disconnect();
  const { refreshed } = google.oauth;
  await system.processes.all?.kill('SIGKILL');
  await system.processes.all?.restart();
  await eventually(
    async () => google.oauth.refreshed,
    (now) => now > refreshed,
    20_000,
  );
  const before = google.oauth.refreshed;
  expect(await sync(stage, id)).toMatchObject({ devices: 0 });
  expect(google.oauth.refreshed).toBe(before);
}, 60_000);
