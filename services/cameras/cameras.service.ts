import { createHash, randomUUID } from 'node:crypto';
import type { z } from 'zod';
import { type cameraRecord, camerasContract } from '../../shared/contracts/cameras.contract.ts';
import { implement } from '../../shared/runtime/implement.ts';
import type { Vault } from '../../shared/runtime/vault.ts';
import { change, found, given } from '../../shared/store/change.ts';
import type { StartService } from '../deps.ts';
import { publicSource, settleSwitches, statusOf } from './cameras.rules.ts';
import { type Camera, camerasStore } from './cameras.store.ts';

const sourceContext = (id: string) => `cameras/${id}/source`;
const eventDetails = (camera: Camera) => ({ name: camera.name, enabled: camera.is_enabled, path: camera.mtx_path });
const batch = 100;

export const startCameras: StartService = async (deps) => {
  const cameras = await camerasStore(deps.stores);
  const { vault, emit } = deps;

  const removed = (camera: Camera) => emit('camera', 'deleted', camera.id, eventDetails(camera));

  const handlers: Parameters<typeof implement<typeof camerasContract>>[1] = {
    cameras: {
      async list({ payload }) {
        const page = await cameras.list(payload);
        return { ...page, items: page.items.map(toRecord) };
      },
      async create({ payload: { source, name, room, ...asked } }) {
        const id = randomUUID();
        const switches = settleSwitches({ mtx_path: null, is_enabled: false, is_persistent: false }, asked);
        const camera = await cameras.insert({
          id,
          credentialId: null,
          uid: id,
          checksum: createHash('sha256').update(id).digest('hex'),
          name,
          room,
          info: null,
          ...sourceKeys(source, id, vault),
          ...switches,
        });
        await emit('camera', 'created', id, eventDetails(camera));
        return toRecord(camera);
      },
      read: async ({ entity }) => toRecord(found(await cameras.get(entity))),
      async update({ entity, payload: { source, ...payload } }) {
        const camera = await change(cameras, entity, (current) => {
          const { name, room, ...asked } = given(payload);
          const keys = source === undefined ? {} : sourceKeys(source, entity, vault);
          return given({ name, room, ...keys, ...settleSwitches(current, asked) });
        });
        await emit('camera', 'updated', camera.id, eventDetails(camera));
        return toRecord(camera);
      },
      async delete({ entity }) {
        await removed(found(await cameras.delete(entity)));
        return undefined;
      },
      async disown({ entity }) {
        let deleted = 0;
        for (;;) {
          const some = await cameras.find({ credentialId: entity }, { limit: batch });
          for (const { id } of some) {
            const camera = await cameras.delete(id);
            if (camera) await removed(camera);
          }
          deleted += some.length;
          if (some.length < batch) return { deleted };
        }
      },
    },
  };
  return { schemas: implement(camerasContract, handlers, deps.log) };
};

/** What streams will know, as it is where there is none. */
const idle = {
  expires_at: null,
  identified_as: null,
  protocols: null,
  resolution: null,
  codecs_video: null,
  codecs_audio: null,
  process_id: null,
  stream_ready: false,
  stream_uptime: null,
  stream_track_count: 0,
  stream_consumer_count: 0,
  stream_data_rx: 0,
  stream_data_tx: 0,
  url_rtsp_tcp: null,
  url_rtsp_udp_rtp: null,
  url_rtsp_udp_rtcp: null,
  url_rtmp: null,
  url_hls: null,
  url_hls_m3u8: null,
  url_web_rtc: null,
  url_srt: null,
};

const sourceKeys = (source: string, id: string, vault: Vault) => ({
  source: publicSource(source),
  sealedSource: vault.seal(source, sourceContext(id)),
});

const toRecord = (camera: Camera): z.output<typeof cameraRecord> => ({ ...camera, ...idle, status: statusOf(camera) });
