import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { FrameGuard } from './frames.ts';

/** A packet of a type and a number of bytes after its fixed header. */
function packet(length: number): Buffer {
  const header = [0x30];
  let rest = length;
  do {
    const byte = rest % 128;
    rest = Math.floor(rest / 128);
    header.push(rest > 0 ? byte | 0x80 : byte);
  } while (rest > 0);
  return Buffer.concat([Buffer.from(header), Buffer.alloc(length, 0xff)]);
}

test('packets within the bounds pass, however the bytes are cut', () => {
  const lengths = fc.array(fc.integer({ min: 0, max: 500 }), { minLength: 1, maxLength: 10 });
  fc.assert(
    fc.property(lengths, fc.integer({ min: 1, max: 700 }), (list, size) => {
      const bytes = Buffer.concat(list.map(packet));
      const guard = new FrameGuard(500, 500);
      for (let at = 0; at < bytes.length; at += size) expect(guard.accepts(bytes.subarray(at, at + size))).toBe(true);
    }),
  );
});

test('the first packet has a bound of its own', () => {
  expect(new FrameGuard(10, 1_000).accepts(packet(11))).toBe(false);
  const guard = new FrameGuard(10, 1_000);
  expect([guard.accepts(packet(10)), guard.accepts(packet(1_000)), guard.accepts(packet(1_001))]).toEqual([
    true,
    true,
    false,
  ]);
});

test('a packet that is too large is refused by its length alone', () => {
  expect(new FrameGuard(2_000_000, 10).accepts(packet(2_000_001).subarray(0, 5))).toBe(false);
  expect(new FrameGuard(2_000_000, 10).accepts(packet(2_000_000).subarray(0, 5))).toBe(true);
});

test('a length of more than four bytes is malformed (MQTT 3.1.1, 2.2.3)', () => {
  expect(new FrameGuard(10, 10).accepts(Buffer.from([0x30, 0x80, 0x80, 0x80, 0x80, 0x01]))).toBe(false);
});
