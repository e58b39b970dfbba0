import type { Following } from '../../shared/fanout/bus.ts';
import { Mailboxes } from '../../shared/mailbox/mailboxes.ts';
import type { Principal } from '../../shared/runtime/principal.ts';
import { ownerOf } from '../../shared/runtime/rendezvous.ts';
import type { ServiceDeps } from '../deps.ts';
import { CameraActor } from './camera.actor.ts';
import { cameraMetrics } from './cameras.metrics.ts';
import { Closings } from './closings.ts';
import { FeedTokens } from './feed.tokens.ts';
import { startFleet } from './fleet.start.ts';
import { FreeNames } from './free.names.ts';
import { Gate } from './gate.ts';
import { Keeper } from './keeper.ts';
import { soleMember, storedMembers } from './members.ts';
import { Offers } from './offers.ts';
import { Ownership } from './ownership.ts';
import { Paths } from './paths.ts';
import { Pictures } from './pictures/pictures.ts';
import { Reports } from './reports.ts';
import { Sessions } from './sessions.ts';
import { streamsStore } from './streams.store.ts';
import { keyVersion, tokenVersions, viewerOfKey } from './token.versions.ts';
import { ViewerTokens } from './viewer.tokens.ts';
import { Viewers } from './viewers.ts';
import { Viewings } from './viewings.ts';
import { Wiring } from './wiring.ts';

/** Cameras that are worked on at a time in one process. */
const concurrency = 32;
/** Cameras for which Google is waited for at a time: up to ten seconds each, without keeping others waiting. */
const atGoogle = 128;
const errorPauseMs = 1_000;
const wakeTopic = 'streams.wake';
const freeTopic = 'streams.free';

/** Everything of this process that keeps cameras streaming, put together and running. */
export async function startEngine(deps: ServiceDeps) {
  const { bus, call, emit, log, stores, vault, config } = deps;
  const store = await streamsStore(stores, vault);
  const { streams } = store;
  const members = config.natsUrl ? await storedMembers(stores, log) : soleMember();
  cameraMetrics(deps.registry, streams, members);
  const tokens = new FeedTokens(store.secret);
  const viewerTokens = new ViewerTokens(store.viewerTokens);
  const sessions = new Sessions(call, vault);
  const viewings = new Viewings(store.viewings, config.streamLimitPerUser);
  const local = { paths: undefined as Paths | undefined };
  const {
    fleet,
    hooksOf,
    callback,
    stop: stopFleet,
  } = await startFleet({
    config,
    log,
    secret: store.secret,
    installation: store.installation,
    wanted(server) {
      // Nothing is wanted, and everything would be taken away, by whoever asked before there is somebody to ask.
      if (!local.paths) throw new Error('the paths of cameras are not known yet');
      return local.paths.wanted(server);
    },
  });
  const paths = new Paths({
    fleet,
    hooksOf,
    callback,
    sessions,
    tokens,
    streams,
    viewings: store.viewings,
    log,
  });
  local.paths = paths;

  const boxes = new Mailboxes((camera) => act(camera), {
    concurrency,
    aside: atGoogle,
    onError(camera, err) {
      log.warn({ err, camera }, 'a camera could not be looked after; it is tried again');
      boxes.wakeIn(camera, errorPauseMs);
    },
  });
  const ownership = new Ownership({
    streams,
    members,
    log,
    wake: (camera) => boxes.wake(camera),
    freed: (camera) => bus.notify(wakeTopic, { camera, from: members.id }),
  });
  const pictures = new Pictures({ log });
  // Who waits for a turn may have lost the camera meanwhile: another one asks Google then.
  const patient = new Sessions(call, vault, (ask, { stream, isUrgent }) =>
    boxes.aside(ask, { isUrgent, mayBegin: () => ownership.mayStillAct(stream) }),
  );
  const closings = new Closings(sessions, log);
  const actor = new CameraActor({ store, ownership, sessions: patient, closings, paths, pictures, emit, log });
  async function act(camera: string): Promise<void> {
    const rest = await actor.run(camera);
    if (rest !== null) boxes.wakeIn(camera, rest);
  }

  /** Here at once where the camera is ours; elsewhere by a notice. */
  function wake(camera: string): void {
    woken(camera);
    bus.notify(wakeTopic, { camera, from: members.id });
  }
  function woken(camera: string): void {
    if (ownership.fenceOf(camera) !== undefined) boxes.wake(camera);
    else if (ownerOf(camera, members.live()) === members.id) ownership.look(camera).catch(() => {});
  }

  const wiring = new Wiring({ streams, call, vault, wake, log });
  const ended = (server: string, path: string) => bus.notify(freeTopic, { server, path });
  const freeNames = new FreeNames({ call, streams, paths, ended, log });
  const gate = new Gate({ streams, viewings, feedTokens: tokens, viewerTokens, freeNames, call, secret: store.secret });
  const offers = new Offers({ streams, sessions, closings, tokens, wake });
  const viewers = new Viewers({ fleet, streams, viewings, call, log });
  const keeper = new Keeper({
    fleet,
    members,
    streams,
    viewers,
    viewerTokens,
    noteTaken: (...taken) => paths.noteTaken(...taken),
    wake,
    log,
  });
  const began = (session: string, type: string) => viewers.began(session, type);
  const reports = new Reports({ streams, viewings, freeNames, emit, began, wake, log });

  const following: Following[] = await Promise.all([
    bus.listen(wakeTopic, (data) => {
      const { camera, from } = data as { camera: string; from: string };
      if (from !== members.id) woken(camera);
    }),
    bus.listen(freeTopic, (data) => {
      const { server, path } = data as { server: string; path: string };
      freeNames.end(server, path);
    }),
    bus.listen('users.changed', (data) => {
      const { id, revoked } = data as { id: string; revoked: boolean };
      if (revoked) void viewers.sendAway(id);
    }),
    bus.listen('api-keys.changed', (data) => {
      void viewers.sendAway(viewerOfKey((data as { id: string }).id));
    }),
    bus.follow({}, async ({ body: { domain, event, entity } }) => {
      const isChange = domain === 'camera' && (event === 'created' || event === 'updated' || event === 'deleted');
      if (isChange) freeNames.changed();
      // One process looks; the others are woken by what it writes. A full comparison finds what fails here.
      if (!isChange || entity === null || ownerOf(entity, members.live()) !== members.id) return;
      await wiring.camera(entity).catch((err) => log.debug({ err, camera: entity }, 'a change waits for a comparison'));
    }),
  ]);
  for (const event of ['alive', 'dead', 'restarted'] as const) fleet.on(event, () => ownership.sweep());
  bus.onGap(() => {
    ownership.sweep();
    keeper.look();
  });

  fleet.start();
  if (fleet.servers.length > 0) {
    ownership.start();
    wiring.start();
    keeper.start();
  }

  return {
    store,
    fleet,
    viewerTokens,
    viewings,
    gate,
    reports,
    offers,
    viewers,
    /** Null where the versions of the asker's tokens are not ours: users of another system. */
    async tokenVersionOf({ kind, id }: Principal): Promise<number | null> {
      if (kind === 'key') return keyVersion;
      if (kind !== 'user' || config.authUsers === 'external' || config.authStrategy !== 'jwt') return null;
      return (await tokenVersions(call, [id])).get(id) ?? -1;
    },
    async stop(): Promise<void> {
      await Promise.all(following.map((one) => one.stop()));
      await Promise.all([wiring.stop(), keeper.stop()]);
      await boxes.stop();
      await Promise.all([pictures.stop(), freeNames.stop()]);
      await Promise.all([closings.stop(), ownership.stop()]);
      await members.stop();
      await stopFleet();
    },
  };
}
