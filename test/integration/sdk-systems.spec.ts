import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createClient, createHttpClient, type TrigateClient } from '../../clients/sdk/index.ts';
import { eventually } from '../system/clients/wait.ts';
import type { System } from '../system/system.ts';
import { systems } from './seeds/systems.ts';

describe.each(systems)('over %s, a client of the SDK', (_name, start) => {
  let system: System;
  let client: TrigateClient;
  const states: string[] = [];
  const names: (string | null)[] = [];

  beforeAll(async () => {
    system = await start();
    const http = createHttpClient({ url: system.httpUrls[0] as string });
    const payload = { username: 'admin', password: system.adminPassword };
    const token = async () => (await http.call('auth.create', { payload })).bearer;
    client = createClient({ url: system.socketioUrls[0] as string, token });
    client.onStatus(({ state }) => states.push(state));
    client.on('camera:created', ({ details }) => names.push(details.name));
  }, 60_000);
  afterAll(async () => {
    client?.close();
    await system?.stop();
  }, 30_000);

  /** Makes a camera and waits until the client has heard of it. */
  async function make(name: string): Promise<void> {
    await client.call('cameras.create', { payload: { name, source: 'rtsp://camera.example/1' } });
    await eventually(
      async () => names,
      (all) => all.includes(name),
      10_000,
    );
  }

  test('calls, hears events once, and is told what a call fails with', async () => {
    expect((await client.call('auth.read')).username).toBe('admin');
    await make('before');
    const { items } = await client.call('cameras.list', { payload: { search: 'before' } });
    expect(items.map(({ name }) => name)).toEqual(['before']);
    await expect(client.call('cameras.read', { entity: 'none' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect([names, states, client.status.state]).toEqual([['before'], ['connected'], 'connected']);
  });

  test('says that its connection is gone, and goes on when it is back', async () => {
    const gateway = system.processes.all ?? system.processes['socketio-1'];
    await gateway?.kill('SIGKILL');
    await eventually(
      async () => client.status.state,
      (state) => state !== 'connected',
      10_000,
    );
    await gateway?.restart();
    await eventually(
      async () => client.status.state,
      (state) => state === 'connected' || state === 'recovered',
      20_000,
    );
    await make('after');
    // Sessions of one process end with it.
    const back = system.nats ? 'recovered' : 'connected';
    expect(states.filter((state) => state !== 'reconnecting')).toEqual(['connected', back]);
    expect([states.includes('reconnecting'), names]).toEqual([true, ['before', 'after']]);
  }, 60_000);
});
