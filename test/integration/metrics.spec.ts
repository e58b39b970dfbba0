import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Stage } from '../conformance/stage.ts';
import { cleanUp } from '../servers/clean-up.ts';
import { openSocket } from '../system/clients/socketio.client.ts';
import { eventually } from '../system/clients/wait.ts';
import { type Client, connectClient, type Protocol, protocols } from '../system/clients.ts';
import { startDistributed } from '../system/distributed.ts';
import { metricsOf, sumOf } from '../system/metrics.ts';
import { startOneProcess } from '../system/one-process.ts';
import type { System } from '../system/system.ts';

type Process = 'http-1' | 'socketio-1' | 'mqtt-1' | 'services-1' | 'services-2';
type Labels = Record<string, string>;

const gateways = ['http-1', 'socketio-1', 'mqtt-1'] as const satisfies Process[];
const gatewayOf = { http: 'http-1', socketio: 'socketio-1', mqtt: 'mqtt-1' } as const satisfies Record<
  Protocol,
  Process
>;

/** Every metric of its own: type, labels and which processes of a distributed installation have it. */
const metrics: [name: string, type: string, labels: string[], processes: readonly Process[]][] = [
  ['socket_server_active_connections', 'gauge', [], ['socketio-1']],
  ['socket_server_connections_total', 'counter', ['authenticated', 'transport'], ['socketio-1']],
  ['trigate_requests_total', 'counter', ['code', 'command', 'module', 'protocol'], gateways],
  ['trigate_request_duration_seconds', 'histogram', ['command', 'module', 'protocol'], gateways],
  ['trigate_packets_total', 'counter', ['direction', 'protocol'], gateways],
  ['trigate_events_total', 'counter', ['domain', 'event'], gateways],
  ['trigate_presence_users', 'gauge', [], ['services-2']],
  ['trigate_cameras', 'gauge', ['state'], ['services-2']],
  ['process_cpu_seconds_total', 'counter', [], [...gateways, 'services-1', 'services-2']],
  ['nodejs_eventloop_lag_p99_seconds', 'gauge', [], [...gateways, 'services-1', 'services-2']],
];

const systems: [name: string, start: () => Promise<System>][] = [
  ['one process', () => startOneProcess()],
  ['distributed processes', () => startDistributed()],
];

describe.each(systems)('the metrics of %s', (name, start) => {
  const isOne = name === 'one process';
  let system: System;
  let stage: Stage;
  const clients = new Map<Protocol, Client>();
  const later = cleanUp();

  beforeAll(async () => {
    system = await start();
    stage = await Stage.open('http', system);
    for (const protocol of protocols) {
      const [url] = { http: system.httpUrls, socketio: system.socketioUrls, mqtt: system.mqttUrls }[protocol];
      clients.set(protocol, connectClient(protocol, url as string));
    }
    // Connects each, and counts each kind of request once, so that their samples are there.
    for (const protocol of protocols) await version(protocol);
  }, 60_000);
  afterAll(async () => {
    for (const client of clients.values()) await client.close();
    await stage?.close();
    await system?.stop();
  }, 30_000);

  const urlOf = (process: Process): string => system.processes[isOne ? 'all' : process]?.operatorUrl as string;
  const valueAt = async (process: Process, metric: string, labels: Labels): Promise<number> =>
    sumOf(await metricsOf([urlOf(process)]), metric, labels);
  const version = (protocol: Protocol) =>
    clients.get(protocol)?.request({ module: 'version', command: 'list' }, stage.people.user.token);
  async function socket(token: string | null, transport = 'websocket') {
    const opened = await openSocket(system.socketioUrls[0] as string, token, { transports: [transport] });
    later(() => opened.disconnect());
    return opened;
  }

  /** What a metric has grown by, once it has grown. */
  async function grown(process: Process, metric: string, labels: Labels, act: () => unknown): Promise<number> {
    const before = await valueAt(process, metric, labels);
    await act();
    const after = await eventually(
      () => valueAt(process, metric, labels),
      (value) => value !== before,
      10_000,
    );
    return after - before;
  }

  test.each(metrics)('%s is a %s with the labels %j, where it belongs', async (metric, type, labels, processes) => {
    const has: string[] = [];
    for (const process of new Set(Object.values(system.processes))) {
      const text = await (await fetch(`${process.operatorUrl}/metrics`)).text();
      if (text.includes(`\n# TYPE ${metric} ${type}\n`) || text.startsWith(`# TYPE ${metric} ${type}\n`))
        has.push(process.name);
    }
    expect(has.sort()).toEqual(isOne ? ['all'] : [...processes].sort());
    const samples = (await metricsOf(Object.values(system.processes).map(({ operatorUrl }) => operatorUrl))).filter(
      (one) => one.name === metric || one.name.replace(/_(bucket|sum|count)$/, '') === metric,
    );
    expect(samples.length).toBeGreaterThan(0);
    for (const sample of samples) {
      const { le: _, ...own } = sample.labels;
      expect(Object.keys(own).sort()).toEqual(labels);
    }
  });

  const ofRequests: [metric: string, labels: (protocol: Protocol) => Labels][] = [
    ['trigate_requests_total', (protocol) => ({ protocol, module: 'version', command: 'list', code: 'OK' })],
    ['trigate_request_duration_seconds_count', (protocol) => ({ protocol, module: 'version', command: 'list' })],
    ['trigate_packets_total', (protocol) => ({ protocol, direction: 'in' })],
  ];
  for (const [metric, labels] of ofRequests) {
    test.each(protocols)(`${metric} counts a request over %s`, async (protocol) => {
      const act = () => version(protocol);
      expect(await grown(gatewayOf[protocol], metric, labels(protocol), act)).toBe(1);
    });
  }

  test.each(protocols)('trigate_packets_total counts an answer over %s', async (protocol) => {
    // Events go out over MQTT too, whenever somebody comes or goes.
    const act = () => version(protocol);
    const labels = { protocol, direction: 'out' };
    const count = await grown(gatewayOf[protocol], 'trigate_packets_total', labels, act);
    if (protocol === 'mqtt') expect(count).toBeGreaterThanOrEqual(1);
    else expect(count).toBe(1);
  });

  test.each(protocols)('trigate_requests_total counts a failure over %s by its code', async (protocol) => {
    const labels = { protocol, module: 'users', command: 'list', code: 'FORBIDDEN' };
    const act = () => clients.get(protocol)?.request({ module: 'users', command: 'list' }, stage.people.user.token);
    expect(await grown(gatewayOf[protocol], 'trigate_requests_total', labels, act)).toBe(1);
  });

  test.each(['socketio', 'mqtt'] as const)('no label takes a name that a client of %s chose', async (protocol) => {
    const labels = { protocol, module: 'none', command: 'none' };
    const chosen = { module: 'chosen-by-a-client', command: 'chosen-too' };
    const act = () => clients.get(protocol)?.request(chosen, stage.people.user.token);
    expect(await grown(gatewayOf[protocol], 'trigate_requests_total', labels, act)).toBe(1);
    const text = await (await fetch(`${urlOf(gatewayOf[protocol])}/metrics`)).text();
    expect(text).not.toContain('chosen');
  });

  // Each gateway that hands events to clients counts; in one process their counts are one.
  const ofEvents: [process: Process, times: number][] = isOne
    ? [['socketio-1', 2]]
    : [
        ['socketio-1', 1],
        ['mqtt-1', 1],
      ];
  test.each(ofEvents)('trigate_events_total at %s counts an event %i times', async (process, times) => {
    const labels = { domain: 'rooms', event: 'created' };
    const before = await valueAt(process, 'trigate_events_total', labels);
    await stage.room();
    const counted = await eventually(
      () => valueAt(process, 'trigate_events_total', labels),
      (value) => value - before >= times,
      10_000,
    );
    expect(counted - before).toBe(times);
  });

  test.each(['websocket', 'polling'])(
    'socket_server_connections_total counts who is let in by %s',
    async (transport) => {
      const labels = { authenticated: 'true', transport };
      const act = () => socket(stage.people.user.token, transport);
      expect(await grown('socketio-1', 'socket_server_connections_total', labels, act)).toBe(1);
    },
  );

  test('socket_server_connections_total counts who is refused', async () => {
    const labels = { authenticated: 'false', transport: 'websocket' };
    const act = () => expect(socket('not a token')).rejects.toMatchObject({ data: { code: 'UNAUTHORIZED' } });
    expect(await grown('socketio-1', 'socket_server_connections_total', labels, act)).toBe(1);
  });

  test('socket_server_active_connections is how many are connected now', async () => {
    const active = 'socket_server_active_connections';
    const before = await valueAt('socketio-1', active, {});
    const opened = await Promise.all([1, 2, 3].map(() => socket(stage.people.user.token)));
    expect((await valueAt('socketio-1', active, {})) - before).toBe(3);
    expect(await grown('socketio-1', active, {}, () => opened[0]?.disconnect())).toBe(-1);
  });

  test('trigate_presence_users is how many users are there, however many connections they have', async () => {
    const person = await stage.person();
    const users = 'trigate_presence_users';
    expect(await grown('services-2', users, {}, () => socket(person.token))).toBe(1);
    await socket(person.token);
    const other = await stage.person();
    expect(await grown('services-2', users, {}, () => socket(other.token))).toBe(1);
  });
});
