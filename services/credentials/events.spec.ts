import { beforeEach, expect, test } from '@jest/globals';
import type { Call } from '../../shared/contracts/index.ts';
import { silentLog as log } from '../../shared/runtime/log.ts';
import { openMemory } from '../../shared/store/file.collections.ts';
import type { Emit } from '../deps.ts';
import type { CommandResult } from './commands.ts';
import { type CameraEvents, cameraEvents, handledStore } from './events.ts';
import type { DeviceSync } from './sync.ts';

const device = 'enterprises/p/devices/d';
const refusal = { ok: false, reason: 'rate-limited', message: '', retryAfterMs: 1 } as const;

let emitted: { event: string; details: { image: string | null }; id: string }[];
let down: boolean;
let camera: { id: string; name: string; credentialId: string; pictures: boolean } | null;
let asked: number;
let listed: string[];
let events: CameraEvents;

beforeEach(async () => {
  emitted = [];
  down = false;
  camera = { id: 'cam', name: 'Porch', credentialId: 'c', pictures: false };
  asked = 0;
  listed = [];
  const emit = async (_domain: string, event: string, _entity: string, details: never, _named: null, id: string) => {
    if (down) throw new Error('the bus is down');
    emitted.push({ event, details, id });
  };
  const commands = async (): Promise<CommandResult> => {
    asked += 1;
    return refusal;
  };
  events = cameraEvents({
    handled: await handledStore(openMemory()),
    commands,
    sync: { soonOf: async (subscription: string) => void listed.push(subscription) } as unknown as DeviceSync,
    call: (async () => camera) as unknown as Call,
    emit: emit as unknown as Emit,
    log,
    sdmUrl: 'http://google',
  });
});

const message = (more: object = {}) => {
  const told = { 'sdm.devices.events.CameraMotion.Motion': { eventSessionId: 's', eventId: 'e' } };
  const body = { eventId: 'm', timestamp: new Date().toISOString(), resourceUpdate: { name: device, events: told } };
  return Buffer.from(JSON.stringify({ ...body, ...more })).toString('base64');
};

test('a message that comes again is passed on once', async () => {
  for (let n = 0; n < 3; n += 1) await events('c', message());
  expect(emitted.map(({ event }) => event)).toEqual(['motion']);
  await events('c', message({ eventId: 'another' }));
  expect(emitted).toHaveLength(2);
});

test('what could not be stored must come again, and has the same id then', async () => {
  down = true;
  await expect(events('c', message())).rejects.toThrow('the bus is down');
  down = false;
  await events('c', message());
  const id = emitted[0]?.id;
  expect(id).toMatch(/^[0-9a-f]{64}$/);
  emitted = [];
  await events('c', message({ eventId: 'another' }));
  expect(emitted[0]?.id).not.toBe(id);
});

test('a picture is asked for where there may be one, and missing does no harm', async () => {
  camera = { id: 'cam', name: 'Porch', credentialId: 'c', pictures: true };
  await events('c', message({ timestamp: new Date(Date.now() - 31_000).toISOString() }));
  expect(asked).toBe(0);
  await events('c', message({ eventId: 'fresh' }));
  expect([asked, emitted.map(({ details }) => details.image)]).toEqual([1, [null, null]]);
});

test('devices that are no cameras here, and what is no message, are left alone', async () => {
  camera = null;
  await events('c', message());
  await events('c', 'nonsense');
  expect(emitted).toEqual([]);
});

test('a change among devices has them listed soon', async () => {
  await events('c', message({ resourceUpdate: undefined, relationUpdate: { type: 'CREATED' } }));
  expect(listed).toEqual(['c']);
});
