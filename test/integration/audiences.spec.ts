import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Socket } from 'socket.io-client';
import { openMqtt } from '../system/clients/mqtt.client.ts';
import { eventually } from '../system/clients/wait.ts';
import type { System } from '../system/system.ts';
import { Cast, collect, type Heard, next } from './seeds/cast.ts';
import { systems } from './seeds/systems.ts';

/** Who hears what changes while connections are open. */
describe.each(systems)('connections of %s', (name, start) => {
  let system: System;
  let cast: Cast;
  beforeAll(async () => {
    system = await start();
    cast = await Cast.of(system);
  }, 60_000);
  afterEach(() => cast?.closeSockets());
  afterAll(() => system?.stop(), 30_000);

  const everywhere = (person: { token: string }): Promise<Socket[]> =>
    Promise.all(system.socketioUrls.map(() => cast.connect(person)));
  const soon = <T>(ask: () => T, good: (value: T) => boolean, ms = 5_000) => eventually(async () => ask(), good, ms);

  /** By the bridge; the payload is 1. */
  const push = (event: string, rooms: string[]) =>
    fetch(`${system.httpUrls[0]}/${event}`, {
      method: 'POST',
      headers: { 'x-api-key': system.apiKey, 'content-type': 'application/json' },
      body: JSON.stringify({ payload: 1, rooms }),
    });

  test('of a user who becomes an administrator hear what administrators hear, without coming again', async () => {
    const person = await cast.stage.person();
    const sockets = await everywhere(person);
    const heard = sockets.map((socket) => collect(socket, 'users:created'));
    const before = await cast.stage.person();
    const began = performance.now();
    await cast.stage.operator({
      ...{ module: 'users', command: 'update', entity: person.id },
      payload: { roles: ['admin', 'user'] },
    });
    let after = '';
    await eventually(
      async () => {
        after = (await cast.stage.person()).id;
        return heard.map((events) => events.length);
      },
      (counts) => counts.every((count) => count > 0),
      10_000,
    );
    console.info(`a new administrator hears after ${(performance.now() - began).toFixed(0)} ms`);
    const entities = heard.map((events) => events.map(({ entity }: Heard) => entity));
    for (const each of entities) expect(each).not.toContain(before.id);
    expect(after).not.toBe('');
    for (const socket of sockets) {
      expect(await socket.emitWithAck('admin_broadcast', { message: 'hello' })).toMatchObject({ message: 'hello' });
    }
    const named = sockets.map((socket) => next(socket, 'for-admins'));
    await push('for-admins', ['admin']);
    expect(await Promise.all(named)).toEqual(sockets.map(() => 1));
  });

  // Over several gateways the broker is another's, and clients log in there as it knows them.
  if (name === 'one process')
    test('over MQTT, of a user who becomes an administrator, hear and do what administrators may', async () => {
      const person = await cast.stage.person();
      const client = await openMqtt(system.mqttUrls[0] as string, { username: 'any', password: person.token });
      try {
        const heard = new Map<string, string>();
        client.on('message', (topic, payload) => heard.set(topic, payload.toString()));
        await client.subscribeAsync(['nestmtx/events/#', 'nestmtx/responses/r1', 'nestmtx/responses/r2'], { qos: 1 });
        const list = async (requestId: string) => {
          const ask = JSON.stringify({ module: 'users', command: 'list', requestId });
          await client.publishAsync('nestmtx/requests', ask, { qos: 1 });
          return soon(
            () => heard.get(`nestmtx/responses/${requestId}`),
            (answer) => answer !== undefined,
          );
        };
        expect(JSON.parse((await list('r1')) as string)).toMatchObject({ error: { code: 'FORBIDDEN' } });
        const before = await cast.stage.person();
        await cast.stage.operator({
          ...{ module: 'users', command: 'update', entity: person.id },
          payload: { roles: ['admin', 'user'] },
        });
        const created = () => [...heard.keys()].filter((topic) => /events\/users\/.*\/created$/.test(topic));
        await eventually(
          () => cast.stage.person().then(created),
          (topics) => topics.length > 0,
          10_000,
        );
        expect(created()).not.toContain(`nestmtx/events/users/${before.id}/created`);
        expect(JSON.parse((await list('r2')) as string)).toMatchObject({ total: expect.any(Number) });
      } finally {
        await client.endAsync(true);
      }
    });

  test('that are in a room stay in it when it gets another name, whichever name they joined by', async () => {
    const { user, stranger } = cast.people;
    const [from, to] = [cast.room(), cast.room()];
    const made = (await cast.stage.ok({ module: 'rooms', command: 'create', payload: { name: from } }, user)) as {
      id: string;
    };
    const sockets = await everywhere(user);
    for (const [at, socket] of sockets.entries()) {
      await socket.emitWithAck('join_room', { room: at % 2 === 0 ? from : made.id });
    }
    const left = sockets.map((socket) => collect(socket, 'user_left'));
    const joined = sockets.map((socket) => collect(socket, 'user_joined'));
    const told = sockets.map((socket) => next(socket, 'rooms:updated'));
    await cast.stage.ok({ module: 'rooms', command: 'update', entity: made.id, payload: { name: to } }, user);
    for (const event of await Promise.all(told)) {
      expect(event).toMatchObject({ entity: made.id, details: { name: to, previousName: from } });
    }
    const messages = sockets.map((socket) => collect(socket, 'new_message'));
    const sender = await cast.connect(stranger);
    await sender.emitWithAck('send_message', { room: made.id, message: 'by its id' });
    await sender.emitWithAck('send_message', { room: to, message: 'by its name' });
    await soon(
      () => messages.map((all) => all.length),
      (counts) => counts.every((count) => count === 2),
    );
    for (const all of messages)
      expect(all.map(({ room, message }) => [room, message])).toEqual([
        [to, 'by its id'],
        [to, 'by its name'],
      ]);
    expect(left.flat()).toEqual([]);
    expect(joined.flat().filter(({ room }) => room === to)).toEqual([]);

    // The old name is free, and those who were in the room do not hear what is said there.
    await sender.emitWithAck('join_room', { room: from });
    await sender.emitWithAck('send_message', { room: from, message: 'another room' });
    for (const socket of sockets) await socket.emitWithAck('ping');
    expect(messages.map((all) => all.length)).toEqual(sockets.map(() => 2));

    // They leave it by any of its names.
    const names = [from, made.id, to];
    for (const [at, socket] of sockets.entries()) {
      expect(await socket.emitWithAck('leave_room', { room: names[at % 3] })).toMatchObject({ room: to });
    }
    await sender.emitWithAck('send_message', { room: to, message: 'to nobody' });
    for (const socket of sockets) await socket.emitWithAck('ping');
    expect(messages.map((all) => all.length)).toEqual(sockets.map(() => 2));
  });

  test('that are in a room which gets another name and becomes private are put out of it', async () => {
    const { user, stranger } = cast.people;
    const [from, to] = [cast.room(), cast.room()];
    await cast.stage.ok({ module: 'rooms', command: 'create', payload: { name: from } }, user);
    const [socket, other] = [await cast.connect(user), await cast.connect(stranger)];
    for (const one of [socket, other]) await one.emitWithAck('join_room', { room: from });
    const left = next(other, 'user_left');
    await cast.stage.ok(
      { module: 'rooms', command: 'update', entity: from, payload: { name: to, private: true } },
      user,
    );
    expect(await left).toMatchObject({ room: to });
    const [inside, outside] = [collect(socket, 'new_message'), collect(other, 'new_message')];
    await socket.emitWithAck('send_message', { room: to, message: 'ours' });
    await soon(
      () => inside.length,
      (count) => count === 1,
    );
    await other.emitWithAck('ping');
    expect(outside).toEqual([]);
  });

  test('that are in a room which gets the name of a role are put out of it where they do not have that role', async () => {
    const { admin, user } = cast.people;
    const ask = (command: string, entity: string, payload?: object) =>
      cast.stage.ok({ module: 'rooms', command, entity, ...(payload && { payload }) });
    const { id, name } = await cast.stage.room();
    const [socket, other] = [await cast.connect(admin), await cast.connect(user)];
    for (const one of [socket, other]) await one.emitWithAck('join_room', { room: name });
    const left = next(other, 'user_left');
    await ask('update', id, { name: 'admin' });
    try {
      expect(await left).toMatchObject({ user: { id: user.id }, room: 'admin' });
      for (const room of ['admin', id]) {
        expect(await other.emitWithAck('join_room', { room })).toMatchObject({ code: 'FORBIDDEN' });
        expect(await socket.emitWithAck('join_room', { room })).toMatchObject({ room: 'admin' });
      }
      expect(await cast.stage.code({ module: 'rooms', command: 'history', entity: id, payload: {} }, 'user')).toBe(
        'FORBIDDEN',
      );
      const [inside, outside] = [next(socket, 'for-admins'), collect(other, 'for-admins')];
      await push('for-admins', ['admin']);
      expect(await inside).toBe(1);
      await other.emitWithAck('ping');
      expect(outside).toEqual([]);
    } finally {
      await ask('delete', id);
    }
  });
});
