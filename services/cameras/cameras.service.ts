import { randomUUID } from 'node:crypto';
import { camerasContract } from '../../shared/contracts/cameras.contract.ts';
import { Failure } from '../../shared/contracts/index.ts';
import { implement } from '../../shared/runtime/implement.ts';
import { change, found, given } from '../../shared/store/change.ts';
import type { StartService } from '../deps.ts';
import { rekeyer, textsUnder } from '../rekey.ts';
import { settleSwitches } from './cameras.rules.ts';
import { type Camera, camerasStore } from './cameras.store.ts';
import { cameraSync, checksumOf } from './cameras.sync.ts';
import { cameraViews, sealedKeys, sourceKeys, statusesOf } from './cameras.views.ts';
import { hasEventImages, isCamera } from './device.rules.ts';

const eventDetails = (camera: Camera) => ({ name: camera.name, enabled: camera.is_enabled, path: camera.mtx_path });
const batch = 100;
const oldestFirst = [{ key: 'createdAt', order: 'asc' }] as const;

export const startCameras: StartService = async (deps) => {
  const cameras = await camerasStore(deps.stores);
  const { vault, emit } = deps;
  const view = cameraViews(vault, deps.log);

  const told = (event: 'created' | 'updated', camera: Camera) => emit('camera', event, camera.id, eventDetails(camera));
  const sync = cameraSync({ cameras, vault, view, told });
  const rekey = rekeyer(cameras, textsUnder<Camera>(sealedKeys), vault, deps.log);
  const removed = (camera: Camera) => emit('camera', 'deleted', camera.id, eventDetails(camera));

  const handlers: Parameters<typeof implement<typeof camerasContract>>[1] = {
    cameras: {
      async list({ payload, call }) {
        const page = await cameras.list(payload);
        const statuses = await statusesOf(call, page.items, deps.log);
        return { ...page, items: page.items.map((one) => view.record(one, statuses[one.id])) };
      },
      async create({ payload: { source, name, room, ...asked } }) {
        const id = randomUUID();
        const switches = settleSwitches({ mtx_path: null, is_enabled: false, is_persistent: false }, asked);
        const camera = await cameras.insert({
          id,
          credentialId: null,
          checksum: checksumOf(id),
          name,
          room,
          ...sourceKeys(source, id, vault),
          ...switches,
        });
        await told('created', camera);
        return view.record(camera);
      },
      async read({ entity, call }) {
        const camera = found(await cameras.get(entity));
        return view.record(camera, (await statusesOf(call, [camera], deps.log))[entity]);
      },
      async update({ entity, payload: { source, ...payload }, call }) {
        const camera = await change(cameras, entity, (current) => {
          if (source !== undefined && current.credentialId !== null) throw noSource();
          const { name, room, ...asked } = given(payload);
          const keys = source === undefined ? {} : sourceKeys(source, entity, vault);
          return given({ name, room, ...keys, ...settleSwitches(current, asked) });
        });
        await told('updated', camera);
        return view.record(camera, (await statusesOf(call, [camera], deps.log))[entity]);
      },
      async delete({ entity }) {
        await removed(found(await cameras.delete(entity)));
        return undefined;
      },
      rekey: ({ payload: { after } }) => rekey.batch(after),
      async wiring({ entity, payload: { page, mtx_path } }) {
        if (entity !== undefined) return { items: [view.wiring(found(await cameras.get(entity)))], total: 1 };
        if (mtx_path !== undefined) {
          const items = await cameras.find({ mtx_path }, { limit: 1 });
          return { items: items.map(view.wiring), total: items.length };
        }
        const { items, total } = await cameras.list({ page, itemsPerPage: batch, sortBy: oldestFirst, search: null });
        return { items: items.map(view.wiring), total };
      },
      sync: ({ entity, payload: { devices, shared } }) => sync(entity, devices.filter(isCamera), shared),
      async identify({ payload: { device } }) {
        const [camera] = await cameras.find({ checksum: checksumOf(device) }, { limit: 1 });
        if (!camera?.credentialId) return null;
        const info = view.device(camera);
        const { id, name, credentialId } = camera;
        return { id, name, credentialId, pictures: info !== null && hasEventImages(info) };
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

function noSource(): Failure {
  const details = [{ message: 'a camera of Google has none', path: ['payload', 'source'] }];
  return new Failure('INVALID_REQUEST', 'A camera of Google takes no source', { details });
}
