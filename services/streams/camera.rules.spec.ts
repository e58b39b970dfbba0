import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  connectingAfterMs,
  decide,
  extensionRetry,
  extensionTime,
  feedKind,
  noPicture,
  placeholderDue,
  placeholderOf,
  startBoundMs,
  startPause,
  stopped,
} from './camera.rules.ts';
import { takenProblem } from './media/index.ts';
import type { CameraStream, Feed } from './streams.store.ts';

const t0 = Date.parse('2026-01-01T00:00:00Z');
const iso = (ms: number) => new Date(t0 + ms).toISOString();
const minute = 60_000;

const camera = (over: Partial<CameraStream> = {}): CameraStream => ({
  id: 'c',
  createdAt: iso(0),
  updatedAt: iso(0),
  version: 1,
  name: 'Door',
  path: 'door',
  persistent: false,
  credentialId: 'g',
  sealedDevice: 'sealed',
  protocols: ['RTSP'],
  sealedSource: null,
  wanted: true,
  owner: 'm',
  fence: 1,
  feeds: 0,
  server: 's',
  demanded: true,
  demandedAt: iso(0),
  publisher: null,
  state: 'idle',
  problem: null,
  failures: 0,
  retryAt: null,
  feed: null,
  next: null,
  kickedAt: null,
  ...over,
});

const session = (over: Partial<Feed> = {}): Feed => ({
  name: 'trigate/c/1-1',
  kind: 'google-rtsp',
  sealed: 'x',
  startedAt: iso(0),
  grantedAt: iso(0),
  expiresAt: iso(5 * minute),
  extendAt: iso(3.3 * minute),
  failedExtensions: 0,
  isExtendable: true,
  ready: true,
  lostAt: null,
  ...over,
});

const at = (stream: CameraStream, ms: number, serverLives = true) => decide(stream, { now: t0 + ms, serverLives });

describe('what the owner of a camera does next', () => {
  test('a camera that is gone is taken away, whatever else', () => {
    expect(at(camera({ wanted: false, server: null, feed: session() }), 0)).toEqual({ do: 'remove' });
  });

  test('it has a place before anything begins, and gets another where its server is dead', () => {
    expect(at(camera({ server: null }), 0)).toEqual({ do: 'place' });
    expect(at(camera({ feed: session() }), 0, false)).toEqual({ do: 'place' });
  });

  test('nobody asks for it: it rests, and what runs is stopped', () => {
    expect(at(camera({ demanded: false }), 0)).toEqual({ do: 'rest', until: null });
    expect(at(camera({ demanded: false, feed: session() }), 0)).toEqual({ do: 'stop' });
    expect(at(camera({ demanded: false, next: session() }), 0)).toEqual({ do: 'stop' });
    expect(at(camera({ demanded: false, state: 'failed', retryAt: iso(1_000) }), 0)).toEqual({ do: 'stop' });
  });

  test('a persistent one starts without being asked for', () => {
    expect(at(camera({ demanded: false, persistent: true }), 0)).toEqual({ do: 'start' });
  });

  test('after a failed start the pause is kept', () => {
    expect(at(camera({ retryAt: iso(1_000) }), 0)).toEqual({ do: 'rest', until: t0 + 1_000 });
    expect(at(camera({ retryAt: iso(1_000) }), 1_001)).toEqual({ do: 'start' });
  });

  test('the pause after a failed start outlives who waited; who comes next sees that the camera is off', () => {
    const failed = { failures: 2, retryAt: iso(5_000), problem: 'busy', state: 'failed' as const };
    const left = camera({ ...failed, ...stopped(camera(failed)) });
    expect(left).toMatchObject({ state: 'idle', problem: null, failures: 2 });
    expect(at(left, 1_000)).toEqual({ do: 'rest', until: t0 + 5_000 });
    expect([placeholderOf(left, t0 + 1_000), placeholderOf(left, t0 + 5_000)]).toEqual(['off', 'connecting']);
    expect(stopped(camera({ ...failed, feed: session() }))).toMatchObject({ failures: 0, retryAt: null });
  });

  test('what is stopped has no publisher, whether its end is reported or not', () => {
    expect(stopped(camera({ publisher: 'p', feed: session() }))).toMatchObject({ publisher: null });
  });

  test.each([{ demanded: false }, { demanded: true }, { persistent: true }])(
    'one whose path is somebody else’s says so and does nothing until that is over (%j)',
    (needed) => {
      const taken = camera({ ...needed, state: 'failed', problem: takenProblem('door') });
      expect([at(taken, 0), placeholderOf(taken, t0)]).toEqual([{ do: 'rest', until: null }, null]);
      expect(at({ ...taken, feed: session() }, 0)).toEqual({ do: 'stop' });
      expect(stopped({ ...taken, feed: session() })).toMatchObject({
        state: 'failed',
        problem: taken.problem,
        feed: null,
      });
      // It was renamed.
      expect(at({ ...taken, path: 'yard' }, 0)).not.toEqual({ do: 'rest', until: null });
    },
  );

  test('a session is extended when that is due', () => {
    expect(at(camera({ feed: session() }), 0)).toEqual({ do: 'rest', until: t0 + 3.3 * minute });
    expect(at(camera({ feed: session() }), 3.3 * minute)).toEqual({ do: 'extend' });
  });

  test('however long it goes on, it is not replaced while extensions work', () => {
    const hours = 5 * 60 * minute;
    const old = session({ grantedAt: iso(hours), expiresAt: iso(hours + 5_000), extendAt: iso(hours + 3_300) });
    expect(at(camera({ feed: old }), hours + 3_000)).toEqual({ do: 'rest', until: t0 + hours + 3_300 });
  });

  test('after three failed extensions, or where there is no extension, another session takes over in time', () => {
    expect(at(camera({ feed: session({ failedExtensions: 3 }) }), 0)).toEqual({ do: 'replace' });
    const doorbell = camera({ feed: session({ isExtendable: false, extendAt: null }) });
    const step = at(doorbell, 0);
    if (step.do !== 'rest' || step.until === null) throw new Error('it should rest');
    expect(step.until).toBeLessThan(t0 + 4.5 * minute);
    expect(at(doorbell, step.until - t0)).toEqual({ do: 'replace' });
  });

  test('the one that takes over is waited for, put first when it delivers, and given up when it does not', () => {
    const next = session({ name: 'trigate/c/1-2', startedAt: iso(1_000), ready: false });
    const stream = (over: Partial<Feed>) => camera({ feed: session(), next: { ...next, ...over } });
    expect(at(stream({}), 1_000)).toEqual({ do: 'rest', until: t0 + 1_000 + startBoundMs });
    expect(at(stream({ ready: true }), 2_000)).toEqual({ do: 'promote' });
    expect(at(stream({}), 1_000 + startBoundMs)).toEqual({ do: 'abandon' });
  });

  test('a session that delivers nothing is started anew, a lost one sooner', () => {
    const silent = camera({ feed: session({ ready: false }) });
    expect(at(silent, startBoundMs - 1).do).toBe('rest');
    expect(at(silent, startBoundMs)).toEqual({ do: 'restart' });
    const lost = camera({ feed: session({ ready: false, lostAt: iso(minute) }) });
    expect(at(lost, minute + 500).do).toBe('rest');
    expect(at(lost, minute + 2_500)).toEqual({ do: 'restart' });
  });

  test('a plain RTSP source is left to the media server; one that is silent for long is told of', () => {
    const plain = session({ kind: 'rtsp', expiresAt: null, extendAt: null });
    expect(at(camera({ feed: plain }), minute)).toEqual({ do: 'rest', until: null });
    const silent = camera({ feed: { ...plain, ready: false }, state: 'starting' });
    expect(at(silent, 0)).toEqual({ do: 'rest', until: t0 + startBoundMs });
    expect(at(silent, startBoundMs)).toEqual({ do: 'doubt' });
    expect(at({ ...silent, publisher: 'p' }, startBoundMs)).toEqual({ do: 'rest', until: null });
    expect(at({ ...silent, state: 'failed', problem: noPicture }, startBoundMs)).toEqual({ do: 'rest', until: null });
    // What was told before is no reason of the camera's.
    const unreachable = { state: 'failed' as const, problem: 'No media server is reachable' };
    expect(at({ ...silent, ...unreachable }, startBoundMs)).toEqual({ do: 'doubt' });
  });
});

describe('the picture instead of a camera', () => {
  const shown = (stream: CameraStream, ms: number) => placeholderOf(stream, t0 + ms);
  /** None until then, and then that the camera is being asked. */
  const connectsAt = (stream: CameraStream, ms: number) => {
    expect([shown(stream, ms - 1), shown(stream, ms)]).toEqual([null, 'connecting']);
    expect(placeholderDue(stream, t0 + ms - 1)).toBe(t0 + ms);
    expect(placeholderDue(stream, t0 + ms)).toBeNull();
  };

  test('says that it is being asked, five seconds after somebody came, whether or not Google has answered', () => {
    connectsAt(camera(), connectingAfterMs);
    connectsAt(camera({ feed: session({ ready: false, startedAt: iso(4_000) }) }), connectingAfterMs);
  });

  test('says so five seconds after the picture was lost, or a persistent one began', () => {
    const lost = session({ ready: false, lostAt: iso(minute) });
    connectsAt(camera({ feed: lost }), minute + connectingAfterMs);
    const begun = session({ ready: false, startedAt: iso(minute) });
    connectsAt(
      camera({ demanded: false, demandedAt: null, persistent: true, feed: begun }),
      minute + connectingAfterMs,
    );
  });

  test('stays from one session to the next until one delivers', () => {
    expect(shown(camera({ state: 'failed' }), minute)).toBe('off');
    const again = camera({ state: 'starting', feed: session({ ready: false, startedAt: iso(minute) }) });
    expect(shown(again, minute)).toBe('connecting');
    const live = camera({ feed: session() });
    expect([shown(live, minute), placeholderDue(live, t0)]).toEqual([null, null]);
    expect(shown(camera({ feed: session({ ready: false }), next: session() }), minute)).toBeNull();
  });

  test('is not there where nobody needs it', () => {
    const failed = { state: 'failed', feed: session({ ready: false }) } as const;
    for (const over of [{ demanded: false, demandedAt: null }, { wanted: false }, { server: null }]) {
      expect(shown(camera({ ...failed, ...over }), minute)).toBeNull();
    }
  });
});

test('a day of extensions, each at its time, never comes near the end of a session, nor asks more than 20 times an hour', () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 30, maxLength: 30 }), (randoms) => {
      let now = 0;
      let expiresAt = iso(5 * minute);
      for (const random of randoms) {
        const due = Date.parse(extensionTime(t0 + now, expiresAt, random)) - t0;
        expect(due - now).toBeGreaterThan(3 * minute);
        expect(Date.parse(expiresAt) - t0 - due).toBeGreaterThan(minute);
        now = due;
        expiresAt = iso(now + 5 * minute);
      }
    }),
  );
});

test('three failed extensions fit before the end of the session', () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1, noNaN: true }), (random) => {
      const end = iso(5 * minute);
      let now = Date.parse(extensionTime(t0, end, random));
      for (let failed = 1; failed < 3; failed += 1) now = Date.parse(extensionRetry(now, end, 0, random));
      expect(now).toBeLessThan(t0 + 5 * minute - 30_000);
    }),
  );
});

test('starts that fail keep to the hourly quota of a camera', () => {
  let tries = 0;
  for (let ms = 0; ms < 60 * minute; tries += 1) ms += startPause(tries + 1, 0);
  expect(tries).toBeLessThan(25);
});

test.each([
  [null, [], 'rtsp'],
  ['g', ['RTSP'], 'google-rtsp'],
  ['g', ['RTSP', 'WEB_RTC'], 'google-webrtc'],
  ['g', [], 'google-rtsp'],
] as const)('credentials %s with %j are read by %s', (credentialId, protocols, kind) => {
  expect(feedKind({ credentialId, protocols: [...protocols] })).toBe(kind);
});
