import { expect, jest, test } from '@jest/globals';
import * as ws from 'ws';
import { Leases } from './leases.ts';
import { audienceOf, fanoutNames, looksLikeSocketId } from './names.ts';
import { frameOf } from './outgoing.ts';
import {
  decodeMessage,
  decodeOffset,
  decodePacket,
  encodeMessage,
  encodeOffset,
  encodePacket,
  type Header,
  sequenceIn,
  withOffset,
} from './wire.ts';

const plain: Header = { id: 'abc1', rooms: [], except: [] };

test('a message is read as it was written, with and without more than its packet', () => {
  const parts = encodePacket({ type: 2, nsp: '/x', data: ['e', { b: Buffer.from('bin\n') }, 'ü\n'] });
  for (const header of [plain, { ...plain, rooms: ['a b', '\n'], except: ['c'], volatile: true, compress: false }]) {
    const message = decodeMessage(encodeMessage(header, parts));
    expect(message).toEqual({ ...header, parts });
    expect(decodePacket(message.parts).data).toEqual(['e', { b: Buffer.from('bin\n') }, 'ü\n']);
  }
});

test('what no adapter wrote is refused', () => {
  for (const text of ['', 'no end', '\nno id', 'id {broken\nx']) {
    expect(() => decodeMessage(Buffer.from(text))).toThrow();
  }
});

test('an offset becomes the last argument of an event, and of nothing else', () => {
  const event = encodePacket({ type: 2, nsp: '/', data: ['e', 1, Buffer.from('x')] });
  expect(decodePacket(withOffset(event, '1.a')).data).toEqual(['e', 1, Buffer.from('x'), '1.a']);
  const disconnect = encodePacket({ type: 1, nsp: '/' });
  expect(withOffset(disconnect, '1.a')).toEqual(disconnect);
});

test('an offset is read as it was written, and garbage is none', () => {
  const offset = { sequence: 123_456_789, id: 'a1b2' };
  expect(decodeOffset(encodeOffset(offset))).toEqual(offset);
  for (const text of ['', '1', '.a', '1.', '1.a b', 'hello', '1.a.b']) expect(decodeOffset(text)).toBeNull();
});

test('the sequence is found among the headers of a republished message', () => {
  const headers =
    'NATS/1.0\r\nNats-Stream: s\r\nNats-Subject: x\r\nNats-Sequence: 1204\r\nNats-Last-Sequence: 7\r\n\r\n';
  expect(sequenceIn(Buffer.from(headers))).toBe(1_204);
  expect(sequenceIn(Buffer.from('NATS/1.0\r\n\r\n'))).toBe(0);
  expect(sequenceIn(undefined)).toBe(0);
});

test.each([0, 124, 125, 65_534, 65_535])('a frame of %d bytes is the one that ws makes', (length) => {
  const text = Buffer.alloc(length, 'y');
  const Sender = (ws as unknown as { Sender: { frame(data: Buffer, options: object): Buffer[] } }).Sender;
  const options = { readOnly: false, mask: false, rsv1: false, opcode: 1, fin: true };
  expect(frameOf(text)).toEqual(Buffer.concat(Sender.frame(Buffer.concat([Buffer.from('4'), text]), options)));
});

test('rooms are audiences of their own, several and possible ids of sockets are for everybody', () => {
  const id = 'ffMRZlIv81Y85XwdAAAA';
  expect([id, '/chat#ffMRZlIv81Y85XwdAAAA', 'user:1', 'room'].map(looksLikeSocketId)).toEqual([
    true,
    true,
    false,
    false,
  ]);
  expect(audienceOf([])).toEqual({ audience: 'a', rooms: [] });
  expect(audienceOf(['room'])).toEqual({ audience: 'r._.room', rooms: [] });
  expect(audienceOf(['room', 'other'])).toEqual({ audience: 'a', rooms: ['room', 'other'] });
  expect(audienceOf([id])).toEqual({ audience: 'a', rooms: [id] });
  expect(audienceOf([id], () => 'me')).toEqual({ audience: `r.me.${id}`, rooms: [id] });
  expect(() => fanoutNames('a.b')).toThrow('prefix');
});

/** Leases, asked every 5 s until a time (ms since the start); or the process is stopped for some time. */
function leasesInTime() {
  let uptime = 0;
  const leases = new Leases({ proof: () => 10_000, every: 5_000, uptime: () => uptime });
  const stopped = (ms: number) => {
    uptime += ms;
  };
  const until = (at: number) => {
    for (; uptime < at; uptime = Math.min(at, uptime + 5_000)) leases.now();
    return leases;
  };
  return { until, stopped };
}

test('a lease tells of what was handed out long enough ago, and of nothing from before a gap', () => {
  const { until } = leasesInTime();
  const floors = (
    [
      [0, 5],
      [300, 7],
      [5_000, 0],
      [6_000, 9],
      [10_500, 0],
      [15_000, 12],
      [17_000, 0],
      [25_000, 0],
    ] as const
  ).map(([at, sequence]) => {
    if (sequence > 0) until(at).reached(sequence);
    return until(at).now().floor;
  });
  expect(floors).toEqual([0, 0, 0, 0, 5, 5, 9, 12]);
  until(25_000).forget();
  expect(until(100_000).now().floor).toBe(0);
});

test('a clock that is set forward makes nothing of what was handed out long ago', () => {
  const { until } = leasesInTime();
  until(1_000).reached(5);
  const { now } = Date;
  const clock = jest.spyOn(Date, 'now').mockImplementation(() => now() + 80_000);
  until(2_000).reached(7);
  const lease = until(3_000).now();
  clock.mockRestore();
  expect(lease.floor).toBe(0);
  expect(lease.at).toBeGreaterThan(now() + 70_000);
});

test('nor does the time in which the process stood still, and no client was waited for', () => {
  const { until, stopped } = leasesInTime();
  until(1_000).reached(5);
  stopped(80_000);
  until(81_001).reached(7);
  expect(until(82_000).now().floor).toBe(0);
  expect(until(92_000).now().floor).toBe(7);
});
