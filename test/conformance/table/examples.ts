import type { Ask } from '../../system/clients.ts';
import { type Stage, secret } from '../stage.ts';

type Example = (stage: Stage) => Omit<Ask, 'module' | 'command'> | Promise<Omit<Ask, 'module' | 'command'>>;

const nothing: Example = () => ({});
const list: Example = () => ({ payload: { page: 1, itemsPerPage: 5 } });
/** Unsound requests change nothing, so one record serves them all. */
const room = (stage: Stage) => stage.shared('room', () => stage.room());
const camera = (stage: Stage) => stage.shared('camera', () => stage.camera());
const credentials = (stage: Stage) => stage.shared('credentials', () => stage.credentials());
const ofRoom: Example = async (stage) => ({ entity: (await room(stage)).id });

/** A sound request of every command, from which the generated cases make unsound ones. */
export const examples: Readonly<Record<string, Example>> = {
  'auth.create': () => ({ payload: { username: 'nobody-there', password: secret() } }),
  'auth.read': nothing,
  'auth.delete': nothing,
  'api-keys.list': list,
  'api-keys.create': (stage) => ({ payload: { name: stage.unique('key') } }),
  'api-keys.delete': () => ({ entity: 'no-such-key' }),
  'users.list': list,
  'users.create': (stage) => ({ payload: { username: stage.unique('user'), password: secret() } }),
  'users.read': (stage) => ({ entity: stage.people.stranger.id }),
  'users.update': (stage) => ({ entity: stage.people.stranger.id, payload: { email: 'who@example.org' } }),
  'users.delete': () => ({ entity: 'no-such-user' }),
  'cameras.list': list,
  'cameras.create': (stage) => ({ payload: { name: stage.unique('camera'), source: 'rtsp://10.0.0.1/stream' } }),
  'cameras.read': async (stage) => ({ entity: (await camera(stage)).id }),
  'cameras.update': async (stage) => ({ entity: (await camera(stage)).id, payload: { room: 'Porch' } }),
  'cameras.rekey': () => ({ payload: { after: '' } }),
  'cameras.delete': async (stage) => ({ entity: (await camera(stage)).id }),
  'credentials.list': list,
  'credentials.create': (stage) => ({
    payload: { description: stage.unique('home'), oauth_client_id: secret(), oauth_client_secret: secret() },
  }),
  'credentials.read': async (stage) => ({ entity: (await credentials(stage)).id }),
  'credentials.update': async (stage) => ({
    entity: (await credentials(stage)).id,
    payload: { description: stage.unique('home') },
  }),
  'credentials.sync': async (stage) => ({ entity: (await credentials(stage)).id }),
  'credentials.rekey': () => ({ payload: { after: '' } }),
  'credentials.delete': async (stage) => ({ entity: (await credentials(stage)).id }),
  'cronjobs.list': list,
  'cronjobs.update': () => ({ entity: 'no-such-job' }),
  'rooms.list': list,
  'rooms.create': (stage) => ({ payload: { name: stage.unique('room') } }),
  'rooms.read': ofRoom,
  'rooms.update': async (stage) => ({ entity: (await room(stage)).id, payload: { private: true } }),
  'rooms.delete': ofRoom,
  'rooms.join': ofRoom,
  'rooms.leave': ofRoom,
  'rooms.send': async (stage) => ({ entity: (await room(stage)).id, payload: { message: 'hello' } }),
  'rooms.history': async (stage) => ({ entity: (await room(stage)).id, payload: { limit: 10 } }),
  'presence.list': list,
  'presence.read': (stage) => ({ entity: stage.people.user.id }),
  'streams.list': list,
  'streams.read': () => ({ entity: 'some-stream' }),
  'streams.create': async (stage) => ({ payload: { camera: (await camera(stage)).id } }),
  'streams.rekey': () => ({ payload: { after: '' } }),
  'streams.delete': () => ({ entity: 'some-stream' }),
  'health.list': nothing,
  'version.list': nothing,
  'swagger.list': nothing,
};
