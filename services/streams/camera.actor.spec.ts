import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Call } from '../../shared/contracts/index.ts';
import { Mailboxes } from '../../shared/mailbox/mailboxes.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import { type Vault, vault } from '../../shared/runtime/vault.ts';
import type { Collections } from '../../shared/store/collection.ts';
import { openMemory } from '../../shared/store/file.collections.ts';
import { eventually } from '../../test/system/clients/wait.ts';
import { CameraActor } from './camera.actor.ts';
import { Closings } from './closings.ts';
import { FeedTokens } from './feed.tokens.ts';
import { type Fleet, type HookContext, type MediaServer, PathTaken, takenProblem } from './media/index.ts';
import { soleMember } from './members.ts';
import { Ownership } from './ownership.ts';
import { Paths } from './paths.ts';
import { Sessions } from './sessions.ts';
import { type CameraStream, deviceContext, type StreamsStore, streamsStore } from './streams.store.ts';

let stores: Collections;
let store: StreamsStore;
let seals: Vault;
let ownership: Ownership;
let closings: Closings;
let boxes: Mailboxes;
let actor: CameraActor;
/** What is done to media servers and asked of Google, in order. */
let done: string[];
/** Commands of which Google says nothing until it is told to. */
let slow: Set<string>;
let refusing: boolean;
let answers: (() => void)[];
/** What else happens when something is done. */
let meanwhile: (what: string) => Promise<unknown> | undefined;
const alive = new Set<string>();

async function note(what: string): Promise<void> {
  done.push(what);
  await meanwhile(what);
}

const mediaServer = (id: string) =>
  ({
    id,
    get alive() {
      return alive.has(id);
    },
    protocols: null,
    rtsp: '127.0.0.1:8554',
    put: (name: string) => note(`${id} has ${name}`),
    remove: (name: string) => note(`${id} loses ${name}`),
    reconcile: async () => {},
  }) as Partial<MediaServer> as MediaServer;
const servers = [mediaServer('s1'), mediaServer('s2')];
const fleet = {
  servers,
  server: (id: string) => servers.find((one) => one.id === id),
  on: (event: string, listener: (server: MediaServer) => void) => {
    // As the fleet tells of those that were seen to die.
    if (event === 'dead') for (const one of servers) if (!one.alive) listener(one);
    return () => {};
  },
} as Partial<Fleet> as Fleet;

const google = (async (_name: string, { payload }: { payload: { command: string } }) => {
  const command = payload.command.replace('CameraLiveStream.', '');
  await note(command);
  if (slow.has(command)) await new Promise<void>((resolve) => answers.push(resolve));
  if (refusing) return { ok: false, reason: 'busy', message: 'The camera is off', retryAfterMs: null };
  const expiresAt = new Date(Date.now() + 300_000).toISOString();
  const streamUrls = { rtspUrl: 'rtsp://google/one' };
  return { ok: true, results: { streamUrls, streamExtensionToken: 'x', streamToken: 'y', expiresAt } };
}) as unknown as Call;

function build(): void {
  const context = { callback: 'http://h', installation: 'i', secret: store.secret, program: 'wget' as const };
  const hooksOf = (server: string): HookContext => ({ ...context, server });
  const sessions = new Sessions(google, seals);
  const patient = new Sessions(google, seals, (ask, { stream, isUrgent }) =>
    boxes.aside(ask, { isUrgent, mayBegin: () => ownership.mayStillAct(stream) }),
  );
  const tokens = new FeedTokens(store.secret);
  const paths = new Paths({
    fleet,
    hooksOf,
    callback: 'http://h',
    sessions,
    tokens,
    streams: store.streams,
    viewings: store.viewings,
    log: silentLog,
  });
  closings = new Closings(sessions, silentLog);
  boxes = new Mailboxes(async (camera) => void (await actor.run(camera)), {
    concurrency: 4,
    aside: 1,
    onError(_camera, error) {
      throw error;
    },
  });
  ownership = new Ownership({
    streams: store.streams,
    members: soleMember(),
    wake: () => {},
    freed: () => {},
    log: silentLog,
  });
  actor = new CameraActor({
    store,
    ownership,
    sessions: patient,
    closings,
    paths,
    pictures: { show: () => {}, hide: () => {} },
    emit: async () => {},
    log: silentLog,
  });
}

beforeEach(async () => {
  stores = openMemory();
  seals = vault([{ id: 'k', key: Buffer.alloc(32, 1) }]);
  store = await streamsStore(stores, seals);
  [done, answers, slow, refusing, meanwhile] = [[], [], new Set(), false, async () => {}];
  for (const { id } of servers) alive.add(id);
  build();
});
afterEach(async () => {
  for (const answer of answers.splice(0)) answer();
  slow.clear();
  await boxes.stop();
  await closings.stop();
  await stores.close();
});

const rest = { problem: null, retryAt: null, feed: null, next: null, kickedAt: null, failures: 0, feeds: 0 };

/** A camera of Google that this process owns; `more` is what its record says besides. */
async function camera(id: string, more: Partial<CameraStream> = {}): Promise<void> {
  const made = { name: id, path: id, credentialId: 'g', sealedSource: null, protocols: ['RTSP'], persistent: false };
  const lives = { owner: null, fence: 0, wanted: true, server: null, demanded: true, publisher: null };
  const sealedDevice = seals.seal(`enterprises/p/devices/${id}`, deviceContext(id));
  await store.streams.insert({
    id,
    ...made,
    ...lives,
    demandedAt: null,
    state: 'idle',
    ...rest,
    sealedDevice,
    ...more,
  });
  await ownership.look(id);
}
const record = async (id: string) => (await store.streams.get(id)) as CameraStream;
async function change(id: string, patch: Partial<CameraStream>): Promise<void> {
  await store.streams.update(id, (await record(id)).version, patch);
}
/** One look, and as many more as it asks for. */
async function look(id: string): Promise<void> {
  boxes.wake(id);
  await settled();
}
/** Everything has been done that does not wait for Google. */
async function settled(): Promise<void> {
  let before = -1;
  while (before !== done.length) {
    before = done.length;
    for (let turn = 0; turn < 50; turn += 1) await new Promise(setImmediate);
  }
}
const isDone = (what: string) =>
  eventually(
    async () => done,
    (all) => all.includes(what),
    2_000,
  );

test('a camera that is demanded has its path, a session and a feed', async () => {
  await camera('door');
  await look('door');
  const { server } = await record('door');
  expect(done).toEqual([`${server} has door`, 'GenerateRtspStream', `${server} has trigate/door/1-1`]);
});

test.each([{ demanded: false }, { demanded: false, persistent: true }])(
  'a camera whose path is somebody else’s says so for as long as that is so, and asks nothing of Google (%j)',
  async (needed) => {
    meanwhile = async (what) => {
      if (what.endsWith('has door')) throw new PathTaken('door');
    };
    await camera('door', needed);
    await look('door');
    await look('door');
    expect(await record('door')).toMatchObject({ state: 'failed', problem: takenProblem('door'), feed: null });
    expect(done).not.toContain('GenerateRtspStream');
  },
);

test('off, then on while Google is slow to stop it: its viewer path is back at once', async () => {
  await camera('door');
  await look('door');
  const { server } = await record('door');
  slow.add('StopRtspStream');
  [done, meanwhile] = [[], async (what) => what.endsWith('loses trigate/door/1-1') && change('door', { wanted: true })];
  await change('door', { wanted: false });
  await look('door');
  expect(done.slice(0, 2)).toEqual([`${server} loses door`, `${server} loses trigate/door/1-1`]);
  expect(done.at(-1)).toMatch(/^s\d has door$/);
  expect(await record('door')).toMatchObject({ wanted: true, fence: 1, demanded: false, feed: null, state: 'idle' });
  expect((await record('door')).server).not.toBeNull();
  await isDone('StopRtspStream');
});

test('a camera that is gone leaves nothing, and Google is told afterwards', async () => {
  await camera('door');
  await look('door');
  slow.add('StopRtspStream');
  await change('door', { wanted: false });
  await look('door');
  expect(await store.streams.get('door')).toBeNull();
  expect([...ownership.cameras]).toEqual([]);
  expect(done.slice(-3)).toEqual([
    expect.stringContaining('loses door'),
    expect.stringContaining('loses trigate/door/1-1'),
    'StopRtspStream',
  ]);
});

test('on another server it can be watched before Google stopped what was on the one that died', async () => {
  await camera('door', { protocols: ['WEB_RTC'] });
  await look('door');
  const { feed, server } = await record('door');
  const sealed = new Sessions(google, seals).seal(await record('door'), feed?.name as string, {
    url: '',
    extension: 'm',
  });
  await change('door', { feed: { ...(feed as NonNullable<typeof feed>), sealed } });
  slow.add('StopWebRtcStream');
  alive.delete(server as string);
  build();
  await ownership.look('door');
  await change('door', { owner: null });
  await ownership.look('door');
  done = [];
  await look('door');
  const other = server === 's1' ? 's2' : 's1';
  expect(done.slice(0, 2)).toEqual([`${other} has door`, `${other} has trigate/door/1-1`]);
  await isDone('StopWebRtcStream');
});

test('who comes while Google stops the session of before has another one at once', async () => {
  await camera('door');
  await look('door');
  slow.add('StopRtspStream');
  await change('door', { demanded: false });
  await look('door');
  expect(done.at(-1)).toBe('StopRtspStream');
  await change('door', { demanded: true });
  await look('door');
  expect(done.slice(-2)).toEqual(['GenerateRtspStream', expect.stringMatching(/has trigate\/door\/1-2$/)]);
});

test('an owner that was fenced out while Google answered writes nothing, brings no path and gives the session back', async () => {
  await camera('door');
  slow.add('GenerateRtspStream');
  await look('door');
  await change('door', { owner: 'another', fence: 2 });
  done = [];
  for (const answer of answers.splice(0)) answer();
  await isDone('StopRtspStream');
  await settled();
  expect(done).toEqual(['StopRtspStream']);
  expect(await record('door')).toMatchObject({ owner: 'another', fence: 2, feed: null, feeds: 0, failures: 0 });
});

test('an owner that was fenced out in the midst of taking paths away leaves those that are the next one’s', async () => {
  await camera('door');
  await look('door');
  [done, meanwhile] = [[], async (what) => what.endsWith('loses door') && ownership.forget('door')];
  await change('door', { wanted: false });
  await look('door');
  expect(done).toEqual([expect.stringMatching(/loses door$/)]);
  expect(await record('door')).toMatchObject({ feed: { name: 'trigate/door/1-1' } });
});

test('Google is not asked for a camera that was lost while its turn was waited for', async () => {
  await camera('slow');
  await camera('lost');
  slow.add('GenerateRtspStream');
  await look('slow');
  await look('lost');
  await change('lost', { owner: 'another', fence: 2 });
  ownership.forget('lost');
  for (const answer of answers.splice(0)) answer();
  await settled();
  expect(done.filter((what) => what === 'GenerateRtspStream')).toHaveLength(1);
  expect(await record('lost')).toMatchObject({ failures: 0, state: 'idle' });
});

test('a process that stops asks Google nothing more, and what waited for that has not failed', async () => {
  await camera('slow');
  await camera('waits');
  slow.add('GenerateRtspStream');
  await look('slow');
  await look('waits');
  const stopping = boxes.stop();
  for (const answer of answers.splice(0)) answer();
  await stopping;
  expect(done.filter((what) => what === 'GenerateRtspStream')).toHaveLength(1);
  expect(await record('waits')).toMatchObject({ failures: 0, state: 'idle', problem: null });
});

test('a start that failed is not told of any more once nobody watches, and its pause is kept', async () => {
  refusing = true;
  await camera('door');
  await look('door');
  const { retryAt } = await record('door');
  expect(await record('door')).toMatchObject({ state: 'failed', problem: 'The camera is off', feed: null });
  await change('door', { demanded: false });
  await look('door');
  expect(await record('door')).toMatchObject({ state: 'idle', problem: null, failures: 1, retryAt });
});
