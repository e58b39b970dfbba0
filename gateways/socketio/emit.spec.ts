import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Server, type Socket } from 'socket.io';
import { type Socket as Client, io } from 'socket.io-client';
import { JsonText } from '../../shared/runtime/json-text.ts';
import { emitResult } from './emit.ts';

let server: Server;
let client: Client;
let socket: Socket;

beforeEach(async () => {
  const http = createServer();
  server = new Server(http);
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const connected = new Promise<Socket>((resolve) => server.once('connection', resolve));
  client = io(`http://127.0.0.1:${(http.address() as AddressInfo).port}`, {
    forceNew: true,
    transports: ['websocket'],
  });
  socket = await connected;
});
afterEach(async () => {
  client.disconnect();
  await server.close();
});

/** Everything the client hears, until it has heard `count` events. */
const heard = (count: number): Promise<unknown[][]> =>
  new Promise((resolve) => {
    const events: unknown[][] = [];
    client.onAny((...event: unknown[]) => {
      events.push(event);
      if (events.length === count) resolve(events);
    });
  });

test('a text arrives as the value it says, on an event of any name, in order with other events', async () => {
  const value = { name: 'Tür "1"\n😀', items: [1, null, { _placeholder: true, num: 0 }] };
  const event = 'quoted " and ü, [1]';
  const events = heard(3);
  socket.emit('before', 1);
  emitResult(socket, event, new JsonText(Buffer.from(JSON.stringify(value))));
  emitResult(socket, 'after', { plain: true });
  expect(await events).toEqual([
    ['before', 1],
    [event, value],
    ['after', { plain: true }],
  ]);
});

test('nothing is written to a connection that has ended', async () => {
  const ended = new Promise((resolve) => socket.once('disconnect', resolve));
  client.disconnect();
  await ended;
  expect(() => emitResult(socket, 'late', new JsonText(Buffer.from('{}')))).not.toThrow();
});
