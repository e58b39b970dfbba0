import { expect, test } from '@jest/globals';
import { next } from '../integration/seeds/cast.ts';
import { openSocket } from '../system/clients/socketio.client.ts';
import { Wanderer } from './recovery.client.ts';
import { comeBack, GatewayStage, until } from './recovery.stage.ts';

/** What rooms are told of those whose gateway is gone. */
const stage = GatewayStage.use();
const recovered = { recovered: 1, failed: 0 };

/** One socket that watches the room, and people whose connections end with their gateways. */
async function watched() {
  stage.room = stage.cast.room();
  const watcher = stage.cast.owned(await openSocket(stage.urls[1] as string, stage.cast.people.admin.token));
  await stage.join(watcher);
  const passages: string[] = [];
  const names = new Map(Object.values(stage.cast.people).map(({ id, username }) => [id, username]));
  for (const event of ['user_left', 'user_joined'])
    watcher.on(event, ({ user }: { user: { id: string } }) => passages.push(`${event} ${names.get(user.id)}`));
  const open = async (name: 'user' | 'stranger', url: string | undefined) => {
    const { token, username } = stage.cast.people[name];
    const client = new Wanderer({ auth: { token }, settle: stage.join });
    stage.clients.push(client);
    await comeBack(client, [url as string]);
    await until(() => passages.includes(`user_joined ${username}`), 5_000);
    return client;
  };
  /** What the room has been told up to now. */
  const told = async () => {
    const last = next(watcher, 'new_message');
    await watcher.emitWithAck('send_message', { room: stage.room, message: 'last' });
    await last;
    return passages.filter((passage) => !passage.endsWith(stage.cast.people.admin.username)).sort();
  };
  return { passages, open, told };
}

test('who went with a gateway that was killed has left its rooms, who came back has not, and who comes later joins again', async () => {
  const { user, stranger } = stage.cast.people;
  const { passages, open, told } = await watched();
  const [first, second, third] = stage.urls as [string, string, string];
  const away = await open('user', first);
  const quick = await open('stranger', first);
  await stage.gateway('socketio-1').kill('SIGKILL');
  const killed = performance.now();
  await comeBack(quick, [third]);
  await until(() => passages.includes(`user_left ${user.username}`), 20_000);
  console.log(
    `user_left of a killed gateway's connection after ${((performance.now() - killed) / 1_000).toFixed(1)} s`,
  );
  await comeBack(away, [second]);
  await until(() => passages.filter((one) => one === `user_joined ${user.username}`).length === 2, 10_000);
  expect([away.told, quick.told]).toEqual([recovered, recovered]);
  const joined = `user_joined ${user.username}`;
  expect(await told()).toEqual(
    [joined, joined, `user_joined ${stranger.username}`, `user_left ${user.username}`].sort(),
  );
}, 60_000);

test('who went with a gateway that ended, and comes to no other, has left its rooms', async () => {
  const { user } = stage.cast.people;
  const { passages, open, told } = await watched();
  await open('user', stage.urls[2]);
  await stage.gateway('socketio-3').stop();
  await until(() => passages.includes(`user_left ${user.username}`), 20_000);
  expect(await told()).toEqual([`user_joined ${user.username}`, `user_left ${user.username}`]);
}, 60_000);

test('who is at a gateway that was only silent is in its rooms again when it is heard', async () => {
  const { user } = stage.cast.people;
  const { passages, open, told } = await watched();
  await open('user', stage.urls[2]);
  await stage.system.processes['socketio-3']?.kill('SIGSTOP');
  try {
    await until(() => passages.includes(`user_left ${user.username}`), 20_000);
  } finally {
    await stage.system.processes['socketio-3']?.kill('SIGCONT');
  }
  const joined = `user_joined ${user.username}`;
  await until(() => passages.filter((one) => one === joined).length === 2, 10_000);
  expect(await told()).toEqual([joined, joined, `user_left ${user.username}`]);
}, 60_000);
