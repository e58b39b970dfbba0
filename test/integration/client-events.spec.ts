import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Socket } from 'socket.io-client';
import { service } from '../../shared/contracts/kernel.ts';
import { roomsContract } from '../../shared/contracts/rooms.contract.ts';
import type { Bus, EventEnvelope } from '../../shared/fanout/bus.ts';
import { natsBus } from '../../shared/fanout/nats.bus.ts';
import { connectNats } from '../../shared/fanout/nats.connection.ts';
import { Stage } from '../conformance/stage.ts';
import { openSocket } from '../system/clients/socketio.client.ts';
import { within } from '../system/clients/wait.ts';
import { startDistributed } from '../system/distributed.ts';
import { startInProcess } from '../system/in-process.ts';
import { Cleanup } from '../system/system.ts';
import { isoDate } from './seeds/cast.ts';

/** What clients tell the services, as a service hears it: on the bus. */
interface Told {
  bus: Bus;
  url: string;
  user: { id: string; username: string; email: string | null };
  token: string;
}

const { summary, actions } = roomsContract.modules.rooms;
/** As much of rooms as a message to no room needs. */
const contract = service({ service: 'rooms', modules: { rooms: { summary, actions: { send: actions.send } } } });
const user = { id: 'ann', username: 'ann', email: null };
const timestamp = expect.stringMatching(isoDate);

async function inOneProcess(cleanup: Cleanup): Promise<Told> {
  const handlers: Parameters<typeof startInProcess<typeof contract>>[0]['handlers'] = {
    rooms: {
      send: async ({ entity, payload }) => {
        return { id: 'stored', room: entity, from: user, ...payload, timestamp: new Date().toISOString() };
      },
    },
  };
  const system = cleanup.add(await startInProcess({ contract, handlers }), (one) => one.stop());
  return { bus: system.bus, url: system.httpUrl, user, token: await system.token(user.id) };
}

async function overNats(cleanup: Cleanup): Promise<Told> {
  const scale = { http: 1, socketio: 1, mqtt: 0 };
  const system = cleanup.add(await startDistributed({}, scale), (one) => one.stop());
  const nats = cleanup.add(await connectNats([system.nats.url], 'listener'), (one) => one.close());
  const bus = cleanup.add(await natsBus(nats, { prefix: 'trigate' }), (one) => one.close());
  const { id, username, token } = (await Stage.open('http', system)).people.user;
  return { bus, url: system.socketioUrls[0] as string, user: { id, username, email: null }, token };
}

describe.each([
  ['in one process', inOneProcess],
  ['over NATS', overNats],
])('%s the services hear', (_name, start) => {
  const cleanup = new Cleanup();
  const heard: EventEnvelope[] = [];
  let told: Told;
  let socket: Socket;
  let came: () => void = () => {};

  beforeAll(async () => {
    told = await start(cleanup);
    await told.bus.follow({}, async (envelope) => {
      if (envelope.body.domain !== 'client') return;
      heard.push(envelope);
      came();
    });
    socket = cleanup.add(await openSocket(told.url, told.token), (one) => one.disconnect());
    await socket.emitWithAck('register', { userId: told.user.id });
  }, 60_000);
  afterAll(() => cleanup.run());

  /** What comes of a client's words: the one event, and what the client is answered. */
  async function says(event: string, payload: object) {
    heard.length = 0;
    const arrived = new Promise<void>((resolve) => {
      came = resolve;
    });
    const answer = await socket.emitWithAck(event, payload);
    await within(arrived, `${event} on the bus`);
    return { answer, heard };
  }

  test('an event of a client, from whom it is', async () => {
    const said = { type: 'door', data: { open: true } };
    const { answer, heard } = await says('client:event', said);
    const { id, username, email } = told.user;
    const details = { ...said, from: { id, username, email } };
    const body = { domain: 'client', event: 'event', entity: id, details, at: answer.data.timestamp };
    expect(heard).toEqual([{ id: answer.data.eventId, hearers: { kind: 'services' }, body }]);
  });

  test('a message to no room, with what the client says of it', async () => {
    const said = { content: 'hello', type: 'greeting', metadata: { mood: 'good' } };
    const { answer, heard } = await says('client:message', said);
    expect(answer).toMatchObject({ success: true, messageId: expect.any(String) });
    const details = { ...said, messageId: answer.messageId, from: told.user, timestamp };
    const body = { domain: 'client', event: 'message', entity: told.user.id, details, at: timestamp };
    expect(heard).toEqual([{ id: expect.any(String), hearers: { kind: 'services' }, body }]);
  });
});
