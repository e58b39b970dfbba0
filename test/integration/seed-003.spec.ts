import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import jwt from 'jsonwebtoken';
import { io, type Socket } from 'socket.io-client';
import { block, run } from '../seeds/blocks.ts';
import { metricsOf, sumOf } from '../system/metrics.ts';
import { startOneProcess } from '../system/one-process.ts';
import type { System } from '../system/system.ts';
import { Cast, collect, type Heard, isoDate, named, next } from './seeds/cast.ts';
import { systems } from './seeds/systems.ts';

const timestamp = expect.stringMatching(isoDate);
const text = expect.any(String);

describe.each(systems)('the server API over %s', (_name, start) => {
  let system: System;
  let cast: Cast;
  beforeAll(async () => {
    system = await start();
    cast = await Cast.of(system);
  }, 60_000);
  afterEach(() => cast?.closeSockets());
  afterAll(() => system?.stop());

  /** What comes on an event and what the acknowledgement says, which must be the same. */
  async function answer(socket: Socket, event: string, payload: unknown, on: string): Promise<Heard> {
    const heard = next(socket, on);
    const acked = await socket.timeout(15_000).emitWithAck(event, payload);
    expect(await heard).toEqual(acked);
    return acked;
  }

  describe('a connection', () => {
    test('is welcomed', async () => {
      const socket = cast.open(cast.people.user.token);
      expect(await next(socket, 'system:welcome')).toEqual({
        message: 'Welcome to the Socket.IO server',
        socketId: socket.id,
        timestamp,
        serverInfo: { version: expect.stringMatching(/^\d+\.\d+\.\d+/), environment: 'production' },
      });
    });

    test('registers as the user of its token', async () => {
      const { user } = cast.people;
      const socket = await cast.connect(user);
      expect(await answer(socket, 'register', { userId: user.id }, 'register:ack')).toEqual({
        success: true,
        userId: user.id,
      });
    });

    test.each([
      ['as somebody else', { userId: 'somebody-else' }],
      ['as nobody', {}],
      ['with a key too many', { userId: 'x', role: 'admin' }],
    ])('does not register %s', async (_what, payload) => {
      const socket = await cast.connect(cast.people.user);
      expect(await answer(socket, 'register', payload, 'register:ack')).toEqual({ success: false, error: text });
      const refused = await answer(socket, 'room:join', { room: 'a' }, 'error');
      expect(refused.code).toBe('NOT_REGISTERED');
    });

    test.each([
      ['client:event', { type: 'a', data: {} }],
      ['client:message', { content: 'a', type: 'text' }],
      ['client:action', { action: 'version.list' }],
      ['room:join', { room: 'a' }],
      ['room:leave', { room: 'a' }],
    ])('has to register before %s', async (event, payload) => {
      const socket = await cast.connect(cast.people.user);
      expect(await answer(socket, event, payload, 'error')).toEqual({ event, message: text, code: 'NOT_REGISTERED' });
    });

    test('registers and goes on without waiting', async () => {
      const { user } = cast.people;
      const socket = await cast.connect(user);
      socket.emit('register', { userId: user.id });
      const room = cast.room();
      expect(await socket.emitWithAck('room:join', { room })).toEqual({ success: true, room });
    });
  });

  describe('client:event', () => {
    test('is answered when it is stored, with the own requestId', async () => {
      const socket = await cast.registered(cast.people.user);
      const payload = { type: 'door', data: { open: true, $free: [{ $form: 1 }] }, requestId: 'mine' };
      expect(await answer(socket, 'client:event', payload, 'server:response')).toEqual({
        success: true,
        requestId: 'mine',
        data: { eventId: text, timestamp },
      });
    });

    test('is heard by no client', async () => {
      const observer = await cast.connect(cast.people.admin);
      const heard = ['client:event', 'client:*', 'event'].map((event) => collect(observer, event));
      const socket = await cast.registered(cast.people.user);
      const created = next(observer, 'rooms:created');
      await socket.emitWithAck('client:event', { type: 'a', data: {} });
      await cast.stage.ok({ module: 'rooms', command: 'create', payload: { name: cast.room() } });
      await created;
      expect(heard).toEqual([[], [], []]);
    });
  });

  describe('client:message', () => {
    test('to a room is stored, and heard by who is in it', async () => {
      const { user, stranger } = cast.people;
      const [socket, other] = [await cast.registered(user), await cast.registered(stranger)];
      const room = cast.room();
      for (const one of [socket, other]) await one.emitWithAck('room:join', { room });
      const heard = Promise.all([next(socket, 'new_message'), next(other, 'new_message')]);
      const payload = { content: 'hello', type: 'text', metadata: { room, colour: 'red' } };
      const ack = await answer(socket, 'client:message', payload, 'message:ack');
      expect(ack).toEqual({ success: true, requestId: text, messageId: text });
      const message = {
        id: ack.messageId,
        from: named(user),
        message: 'hello',
        room,
        type: 'text',
        metadata: { room, colour: 'red' },
        timestamp,
      };
      expect(await heard).toEqual([message, message]);
      const history = await cast.stage.ok({ module: 'rooms', command: 'history', entity: room, payload: {} }, 'user');
      expect(history).toEqual({ items: [message] });
    });

    test('to no room is in the own history, and nobody else’s', async () => {
      const person = await cast.stage.person();
      const socket = await cast.registered(person);
      const payload = { content: 'dear diary', type: 'text', requestId: 'r-1' };
      const { messageId, requestId } = await answer(socket, 'client:message', payload, 'message:ack');
      expect(requestId).toBe('r-1');
      const history = (as: Heard) =>
        cast.stage.ok<Heard>({ module: 'rooms', command: 'history', entity: 'me', payload: {} }, as);
      expect((await history(person)).items).toEqual([
        { id: messageId, from: named(person), message: 'dear diary', room: 'me', type: 'text', timestamp },
      ]);
      expect((await history('admin')).items).toEqual([]);
    });

    test('to a private room one is not in is refused', async () => {
      const { name } = await cast.stage.room({ private: true });
      const socket = await cast.registered(cast.people.stranger);
      const payload = { content: 'let me in', metadata: { room: name } };
      expect(await answer(socket, 'client:message', payload, 'error')).toMatchObject({ code: 'FORBIDDEN' });
    });

    test.each([
      [{ type: 'text' }, 'Invalid message data. Missing content.'],
      [{ content: '', type: 'text' }, 'Invalid message data. Missing content.'],
      [{ content: 'a', colour: 'red' }, 'Invalid message data. The key "colour" is not allowed.'],
      [{ content: 'a', metadata: { $set: 1 } }, 'Invalid message data. The key "$set" is not allowed.'],
      [{ content: 'a', metadata: { constructor: 1 } }, 'Invalid message data. The key "constructor" is not allowed.'],
      [{ content: 'a', metadata: { room: 7 } }, 'Invalid message data. metadata.room: not the name of a room.'],
      [{ content: 7 }, expect.stringMatching(/^Invalid message data\. content: /)],
      [['a'], 'Invalid message data. The payload is not an object.'],
      [undefined, 'Invalid message data. Missing content.'],
    ])('%j is refused', async (payload, message) => {
      const socket = await cast.registered(cast.people.user);
      const code = 'INVALID_MESSAGE_DATA';
      expect(await answer(socket, 'client:message', payload, 'error')).toEqual({
        event: 'client:message',
        message,
        code,
      });
    });

    test('says at most 16 KB of itself beside its content', async () => {
      const socket = await cast.registered(cast.people.user);
      const said = (bytes: number) => ({ metadata: { a: 'ü'.repeat((bytes - '{"a":""}'.length) / 2) } });
      const fits = said(16 * 1_024);
      expect(await socket.emitWithAck('client:message', { content: 'a', ...fits })).toMatchObject({ success: true });
      const large = said(16 * 1_024 + 2);
      const message = 'Invalid message data. metadata: has at most 16 KB of JSON.';
      expect(await answer(socket, 'client:message', { content: 'a', ...large }, 'error')).toMatchObject({ message });
      const send = { module: 'rooms', command: 'send', entity: 'me', payload: { message: 'a', ...large } };
      expect(await cast.stage.code(send, 'user')).toBe('INVALID_REQUEST');
    });

    test('larger than 1 MB is refused, and the connection stays', async () => {
      const socket = await cast.registered(cast.people.user);
      const payload = { content: 'x'.repeat(1_048_576), requestId: 'large' };
      expect(await answer(socket, 'client:message', payload, 'error')).toMatchObject({
        code: 'PAYLOAD_TOO_LARGE',
        requestId: 'large',
      });
      const request = { module: 'version', command: 'list', requestId: 'big', payload: { a: 'x'.repeat(1_048_576) } };
      expect(await answer(socket, 'request', request, 'big')).toMatchObject({ error: { code: 'PAYLOAD_TOO_LARGE' } });
      expect(await socket.emitWithAck('client:message', { content: 'small' })).toMatchObject({ success: true });
    });
  });

  describe('client:action', () => {
    test('runs a command', async () => {
      const { user } = cast.people;
      const socket = await cast.registered(user);
      const payload = { action: 'users.read', params: { entity: user.id }, requestId: 'who' };
      expect(await answer(socket, 'client:action', payload, 'action:result')).toMatchObject({
        success: true,
        requestId: 'who',
        result: { id: user.id, username: user.username },
      });
    });

    test('takes the parameters of the command as they are, or named as its payload', async () => {
      const socket = await cast.registered(cast.people.user);
      const listed = async (params: object) =>
        (await socket.emitWithAck('client:action', { action: 'rooms.list', params })).result;
      const expected = expect.objectContaining({ page: 2, itemsPerPage: 3 });
      expect(await listed({ page: 2, itemsPerPage: 3 })).toEqual(expected);
      expect(await listed({ payload: { page: 2, itemsPerPage: 3 } })).toEqual(expected);
      expect(await listed({})).toMatchObject({ page: 1 });
    });

    test('that answers nothing answers null', async () => {
      const socket = await cast.registered(cast.people.user);
      const { id } = await cast.stage.room();
      const payload = { action: 'rooms.delete', params: { entity: id } };
      expect(await answer(socket, 'client:action', payload, 'action:result')).toEqual({
        success: true,
        requestId: text,
        result: null,
      });
    });

    test.each([
      [{ action: 'users.list' }, 'FORBIDDEN'],
      [{ action: 'users.fly' }, 'NOT_FOUND'],
      [{ action: 'rooms.enter', params: { entity: 'a' } }, 'NOT_FOUND'],
      [{ action: 'users' }, 'INVALID_ACTION_DATA'],
      [{ action: 'a.b.c' }, 'INVALID_ACTION_DATA'],
      [{ params: {} }, 'INVALID_ACTION_DATA'],
      [{ action: 'rooms.create', params: { payload: { name: 7 } } }, 'INVALID_REQUEST'],
      [{ action: 'rooms.create', params: { name: 7 } }, 'INVALID_REQUEST'],
      [{ action: 'rooms.list', params: { page: 1, colour: 'red' } }, 'INVALID_REQUEST'],
      [{ action: 'rooms.send', params: { entity: 'a', message: 'b' } }, 'INVALID_ACTION_DATA'],
      [{ action: 'rooms.list', params: { payload: {}, page: 1 } }, 'INVALID_ACTION_DATA'],
      [{ action: 'rooms.read', params: { entity: 'no-such-room' } }, 'NOT_FOUND'],
    ])('%j is refused', async (payload, code) => {
      const socket = await cast.registered(cast.people.user);
      const requestId = 'a-1';
      const refused = await answer(socket, 'client:action', { ...payload, requestId }, 'error');
      expect(refused).toEqual({ event: 'client:action', message: text, code, requestId });
    });
  });

  describe('rooms', () => {
    test('are joined and left', async () => {
      const socket = await cast.registered(cast.people.user);
      const room = cast.room();
      expect(await answer(socket, 'room:join', { room }, 'room:join:ack')).toEqual({ success: true, room });
      expect(await answer(socket, 'room:leave', { room }, 'room:leave:ack')).toEqual({ success: true, room });
    });

    test('are joined and left by their id too, and answered by name', async () => {
      const { id, name } = await cast.stage.room();
      const [socket, other] = [await cast.registered(cast.people.user), await cast.registered(cast.people.stranger)];
      expect(await socket.emitWithAck('room:join', { room: id })).toEqual({ success: true, room: name });
      const heard = collect(socket, 'new_message');
      // From another gateway the message may come after the answer to its sender.
      const first = next(socket, 'new_message');
      await other.emitWithAck('client:message', { content: 'one', metadata: { room: name } });
      await first;
      expect(await socket.emitWithAck('room:leave', { room: id })).toEqual({ success: true, room: name });
      await other.emitWithAck('client:message', { content: 'two', metadata: { room: name } });
      await socket.emitWithAck('ping');
      expect(heard.map(({ message }) => message)).toEqual(['one']);
    });

    test('one joins are no memberships', async () => {
      const { id, name } = await cast.stage.room();
      const socket = await cast.registered(cast.people.stranger);
      await socket.emitWithAck('room:join', { room: name });
      expect(await cast.stage.ok({ module: 'rooms', command: 'read', entity: id })).toMatchObject({ members: [] });
    });

    test.each([
      ['user:1', 'FORBIDDEN'],
      ['role:admin', 'FORBIDDEN'],
      ['admin', 'FORBIDDEN'],
      ['me', 'FORBIDDEN'],
      ['', 'INVALID_ROOM_DATA'],
      ['r'.repeat(129), 'INVALID_ROOM_DATA'],
      ['a\u0007b', 'INVALID_ROOM_DATA'],
    ])('named %j are refused', async (room, code) => {
      const socket = await cast.registered(cast.people.user);
      expect(await answer(socket, 'room:join', { room }, 'error')).toEqual({ event: 'room:join', message: text, code });
    });

    test('that are private are for their members', async () => {
      const { stranger, user } = cast.people;
      const { name } = await cast.stage.room({ private: true });
      const refused = await (await cast.registered(stranger)).emitWithAck('room:join', { room: name });
      expect(refused.code).toBe('FORBIDDEN');
      const joined = await (await cast.registered(user)).emitWithAck('room:join', { room: name });
      expect(joined).toEqual({ success: true, room: name });
    });

    test('are at most 1,000 per connection', async () => {
      const socket = await cast.registered(cast.people.user);
      const base = cast.room();
      const join = (n: number) => socket.timeout(15_000).emitWithAck('room:join', { room: `${base}-${n}` });
      // 100 at a time: a connection has at most that many requests running.
      for (let from = 0; from < 1_000; from += 100) {
        const acks: Heard[] = await Promise.all(Array.from({ length: 100 }, (_, n) => join(from + n)));
        expect(acks.filter(({ success }) => success)).toHaveLength(100);
      }
      expect(await join(1_000)).toEqual({ event: 'room:join', message: text, code: 'LIMIT_EXCEEDED' });
      expect(await join(5)).toMatchObject({ success: true });
      await socket.emitWithAck('room:leave', { room: `${base}-5` });
      expect(await join(1_000)).toMatchObject({ success: true });
    });
  });

  test('a ping is acknowledged without data', async () => {
    const socket = await cast.connect(cast.people.user);
    const pongs = collect(socket, 'pong');
    const ack = await new Promise<unknown[]>((resolve) =>
      socket.emit('ping', { timestamp: 1_625_097_600_000 }, (...data: unknown[]) => resolve(data)),
    );
    expect(ack).toEqual([]);
    expect(pongs).toEqual([]);
  });
});

describe('limits of the server API', () => {
  let system: System;
  let cast: Cast;
  beforeAll(async () => {
    system = await startOneProcess({ RATE_LIMIT_MESSAGES: '5' });
    cast = await Cast.of(system);
  });
  afterEach(() => cast?.closeSockets());
  afterAll(() => system?.stop());

  test('messages beyond those of the minute are refused with the seconds to wait', async () => {
    const socket = await cast.registered(cast.people.user);
    for (let n = 0; n < 4; n++) await socket.emitWithAck('room:join', { room: `r-${n}` });
    const error = next(socket, 'error');
    socket.emit('room:join', { room: 'one-too-many' });
    expect(await error).toEqual({
      event: 'room:join',
      message: text,
      code: 'RATE_LIMITED',
      retryAfter: expect.any(Number),
    });
  });

  test('every message counts once: also one that cannot be read, and one that nothing listens for', async () => {
    const socket = await cast.connect(cast.people.user);
    for (let n = 0; n < 2; n++) socket.emit('no such event', { n });
    const request = (argument: unknown) => socket.emitWithAck('request', argument);
    const malformed = { module: 'version', command: 7, requestId: 'r' };
    for (const one of ['{', malformed]) expect((await request(one)).error.code).toBe('INVALID_REQUEST');
    const valid = { module: 'version', command: 'list', requestId: 'r' };
    expect(await request(valid)).not.toHaveProperty('error');
    for (const one of ['{', malformed, valid, JSON.stringify(valid)]) {
      expect(await request(one)).toMatchObject({ error: { code: 'RATE_LIMITED', retryAfter: expect.any(Number) } });
    }
    const heard = collect(socket, 'r');
    await request(JSON.stringify(valid));
    expect(heard).toMatchObject([{ error: { code: 'RATE_LIMITED' }, requestId: 'r' }]);
  });

  test('who goes on to ten times as many is cut', async () => {
    const cuts = async () =>
      sumOf(await metricsOf(system.socketioUrls), 'trigate_limits_hit_total', { protocol: 'socketio', limit: 'flood' });
    const [socket, other] = [await cast.connect(cast.people.user), await cast.connect(cast.people.user)];
    const gone = next(socket, 'disconnect');
    // The first packet was the one that connects.
    for (let n = 0; n < 49; n++) socket.emit('no such event');
    expect(await socket.emitWithAck('ping').catch(String)).toMatch(/disconnected/);
    await gone;
    expect([await cuts(), other.connected]).toEqual([1, true]);
  });
});

describe('the code blocks', () => {
  const secret = 'the secret that the server has, too';
  let system: System;
  beforeAll(async () => {
    // As the seed has it: a token of its own issuer, with userId, exp and iat.
    system = await startOneProcess({ JWT_SECRET: secret, AUTH_USERS: 'external' });
  });
  afterAll(() => system?.stop());

  test('connect and register', async () => {
    const token = jwt.sign({ userId: 'user-123' }, secret, { expiresIn: '1h' });
    const place = { url: system.socketioUrls[0] as string, token };
    const lines: unknown[][] = [];
    const console = {
      log: (...words: unknown[]) => lines.push(words),
      error: (...words: unknown[]) => lines.push(words),
    };
    const socket = run<Socket>(block('003', 'WebSocket Authentication', place), { io });
    try {
      run(block('003', 'WebSocket Authentication 3', place), { socket, console });
      run(block('003', 'WebSocket Authentication 2', place), { socket });
      expect(await next(socket, 'register:ack')).toEqual({ success: true, userId: 'user-123' });
      expect(lines).toEqual([['Registration successful']]);
    } finally {
      socket.close();
    }
  });
});
