import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Socket } from 'socket.io-client';
import { type Google, startGoogle } from '../servers/google/google.ts';
import { openSocket } from '../system/clients/socketio.client.ts';
import type { Protocol } from '../system/clients.ts';
import type { System } from '../system/system.ts';
import { runsOn } from './case.ts';
import { Stage } from './stage.ts';
import { commandsWithoutCase, table } from './table.ts';

/** The keys of a result and of what it holds; of an array the first item counts. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? [] : [shapeOf(value[0])];
  if (typeof value !== 'object' || value === null) return '.';
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, shapeOf(inner)]));
}

type Env = Record<string, string>;

/** The one suite: the whole table over each protocol of a system. */
export function conformanceSuite(start: (env: Env) => Promise<System>, protocols: readonly Protocol[]): void {
  const shapes = new Map<string, Map<Protocol, unknown>>();
  let google: Google | undefined;
  let system: System | undefined;
  let observer: Socket | undefined;

  beforeAll(async () => {
    google = await startGoogle({ limits: false });
    system = await start(google.env);
    const stage = await Stage.open('http', system);
    observer = await openSocket(system.socketioUrls[0] as string, stage.people.user.token);
  }, 60_000);
  afterAll(async () => {
    observer?.disconnect();
    await system?.stop();
    await google?.stop();
  }, 30_000);

  test('every command a client may send is shown to work', () => {
    expect(commandsWithoutCase()).toEqual([]);
  });

  describe.each(protocols)('over %s', (protocol) => {
    let stage: Stage | undefined;
    beforeAll(async () => {
      stage = await Stage.open(protocol, system as System, google);
    });
    afterAll(() => stage?.close());

    for (const one of table.filter((entry) => runsOn(entry, protocol))) {
      test(one.name, async () => {
        const result = await one.run(stage as Stage);
        if (!one.good) return;
        const known = shapes.get(one.name) ?? new Map<Protocol, unknown>();
        shapes.set(one.name, known.set(protocol, shapeOf(result)));
      });
    }
  });

  test('the protocols give the same keys', () => {
    for (const [name, byProtocol] of shapes) {
      const [first, ...rest] = [...byProtocol].map(([protocol, shape]) => ({ name, protocol, shape }));
      for (const other of rest) expect(other).toEqual({ ...first, protocol: other.protocol });
    }
    expect(shapes.size).toBeGreaterThan(0);
  });
}
