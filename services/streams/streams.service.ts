import { Failure } from '../../shared/contracts/index.ts';
import { streamsContract } from '../../shared/contracts/streams.contract.ts';
import { implement } from '../../shared/runtime/implement.ts';
import { change, found } from '../../shared/store/change.ts';
import type { StartService } from '../deps.ts';
import { startEngine } from './engine.ts';
import { readHook, viewerUrls } from './media/index.ts';
import { placed, watchedPath } from './placed.ts';
import { streamsRekeyer } from './streams.rekey.ts';
import { viewerOf } from './token.versions.ts';
import { liveOf, toStatus, toStream } from './views.ts';

/** States in which a stream is listed: somebody watches, or tries to. */
const active = ['starting', 'ready', 'failed'] as const;

export const startStreams: StartService = async (deps) => {
  const engine = await startEngine(deps);
  const { store, fleet, viewerTokens, viewings, gate, reports, offers, viewers } = engine;
  const { streams } = store;
  const rekey = streamsRekeyer(store, deps.vault, deps.log);

  const show = async (records: Parameters<typeof liveOf>[1]) => {
    const live = await liveOf(fleet, records);
    return records.map((one) => toStream(one, live));
  };

  const handlers: Parameters<typeof implement<typeof streamsContract>>[1] = {
    streams: {
      async list({ payload }) {
        assertThereIsAServer(fleet.servers.length);
        const sortBy = payload.sortBy.map(({ order }) => ({ key: 'id', order }));
        const page = await streams.list({ ...payload, sortBy }, { state: { $in: active } });
        return { ...page, items: await show(page.items) };
      },
      async read({ entity }) {
        assertThereIsAServer(fleet.servers.length);
        const [one] = await show([found(await streams.get(entity))]);
        return found(one ?? null);
      },
      async create({ payload, principal, call }) {
        assertThereIsAServer(fleet.servers.length);
        const path = watchedPath(await call('cameras.read', { entity: payload.camera }));
        const { stream, server, protocols } = await placed({ streams, fleet }, payload.camera, path);
        const viewer = viewerOf(principal);
        await viewings.assertFree(viewer);
        const tokenVersion = await engine.tokenVersionOf(principal);
        const { token, expires } = await viewerTokens.make({ viewer, tokenVersion, camera: stream.id });
        return { id: stream.id, ...viewerUrls(server.host, protocols, stream.path, token), expires };
      },
      async delete({ entity }) {
        assertThereIsAServer(fleet.servers.length);
        const kickedAt = new Date().toISOString();
        // The media server says itself when nobody is left: a feed that goes before would leave it waiting for one.
        await viewers.empty(await change(streams, entity, () => ({ kickedAt })));
        return undefined;
      },
      async hook({ payload: { event, query } }) {
        const call = readHook(event, new URLSearchParams(query), store.secret);
        if (!call) throw new Failure('FORBIDDEN');
        await reports.take(call);
        return undefined;
      },
      async vouch({ payload: { query, feed, bearer } }) {
        if (feed === undefined) gate.serverOf(query);
        else offers.assertOfferer(feed, bearer);
        return undefined;
      },
      async authorize({ payload }) {
        await gate.assertMay(payload);
        return undefined;
      },
      rekey: ({ payload: { after } }) => rekey(after),
      offer: ({ payload: { feed, bearer, sdp } }) => offers.answer(feed, bearer, sdp),
      async statuses({ payload }) {
        const ids = payload.cameras;
        const records = ids.length === 0 ? [] : await streams.find({ id: { $in: ids } }, { limit: ids.length });
        const live = await liveOf(fleet, records);
        const serverOf = (id: string | null) => (id === null ? undefined : fleet.server(id));
        return {
          cameras: Object.fromEntries(records.map((one) => [one.id, toStatus(one, live, serverOf(one.server))])),
        };
      },
    },
  };
  return { schemas: implement(streamsContract, handlers, deps.log), stop: () => engine.stop() };
};

function assertThereIsAServer(servers: number): void {
  if (servers === 0) throw new Failure('UNAVAILABLE', 'No media server is connected to this Trigate');
}
