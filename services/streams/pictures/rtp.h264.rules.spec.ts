import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type PictureName, pictureFiles } from './picture.files.ts';
import {
  accessUnits,
  description,
  nalType,
  nalUnits,
  packetsOf,
  payloadsOf,
  senderReport,
  stamped,
} from './rtp.h264.rules.ts';

const bytes = (...values: number[]) => Buffer.from(values);
/** The interleaved frames of a buffer: channel and packet (RFC 2326, 10.12). */
function framesOf(buffer: Buffer): { channel: number; packet: Buffer }[] {
  const frames: { channel: number; packet: Buffer }[] = [];
  for (let at = 0; at < buffer.length; ) {
    expect(buffer[at]).toBe(0x24);
    const end = at + 4 + buffer.readUInt16BE(at + 2);
    frames.push({ channel: buffer[at + 1] as number, packet: buffer.subarray(at + 4, end) });
    at = end;
  }
  return frames;
}

describe('NAL units', () => {
  test('are what is between start codes of three or four bytes (H.264, annex B)', () => {
    const stream = bytes(0, 0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 2, 0, 0, 3, 0, 0, 0, 1, 0x65, 9);
    expect(nalUnits(stream)).toEqual([bytes(0x67, 1), bytes(0x68, 2, 0, 0, 3), bytes(0x65, 9)]);
    expect(nalUnits(bytes())).toEqual([]);
  });

  test('belong to the picture they precede', () => {
    const [set, idr, slice] = [bytes(0x67), bytes(0x65), bytes(0x41)];
    expect(accessUnits([set, set, idr, slice, set, idr])).toEqual([[set, set, idr], [slice], [set, idr]]);
  });
});

describe('payloads', () => {
  test('of a small NAL unit are the unit itself (RFC 6184, 5.6)', () => {
    expect(payloadsOf(bytes(0x65, 1, 2), 3)).toEqual([bytes(0x65, 1, 2)]);
  });

  test('of a large one are fragments: indicator, header with start and end, and a part (RFC 6184, 5.8)', () => {
    expect(payloadsOf(bytes(0x65, 1, 2, 3, 4, 5), 4)).toEqual([
      bytes(0x7c, 0x85, 1, 2),
      bytes(0x7c, 0x05, 3, 4),
      bytes(0x7c, 0x45, 5),
    ]);
  });

  test('of any size can be put together again, and none is both start and end', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 10, maxLength: 300 }),
        fc.integer({ min: 4, max: 40 }),
        (data, largest) => {
          const nal = Buffer.from([0x65, ...data]);
          const payloads = payloadsOf(nal, largest);
          expect(Math.max(...payloads.map(({ length }) => length))).toBeLessThanOrEqual(largest);
          if (nal.length <= largest) return;
          expect(payloads.map((payload) => (payload[1] as number) >> 6)).toEqual([
            2,
            ...Array(payloads.length - 2).fill(0),
            1,
          ]);
          expect(Buffer.concat([bytes(0x65), ...payloads.map((payload) => payload.subarray(2))])).toEqual(nal);
        },
      ),
    );
  });
});

describe('packets', () => {
  const unit = [bytes(0x67, 1), Buffer.alloc(2_000, 0x65)];

  test('of one picture have one time and one source, numbers that follow, and the marker on the last (RFC 6184, 5.1)', () => {
    const packets = packetsOf(unit);
    const frames = framesOf(
      stamped(packets, { channel: 2, sequence: 0xffff, timestamp: 2 ** 32 + 5, ssrc: 0xabcdef01 }),
    );
    expect(frames.map(({ channel }) => channel)).toEqual([2, 2, 2]);
    expect(frames.map(({ packet }) => packet[0])).toEqual([0x80, 0x80, 0x80]);
    expect(frames.map(({ packet }) => packet[1])).toEqual([96, 96, 96 | 0x80]);
    expect(frames.map(({ packet }) => packet.readUInt16BE(2))).toEqual([0xffff, 0, 1]);
    expect(frames.map(({ packet }) => packet.readUInt32BE(4))).toEqual([5, 5, 5]);
    expect(frames.map(({ packet }) => packet.readUInt32BE(8))).toEqual([0xabcdef01, 0xabcdef01, 0xabcdef01]);
    expect(frames.reduce((sum, { packet }) => sum + packet.length - 12, 0)).toBe(packets.octets);
    expect(Math.max(...frames.map(({ packet }) => packet.length))).toBeLessThanOrEqual(1_212);
  });

  test('of one session leave those of others alone', () => {
    const packets = packetsOf(unit);
    const before = Buffer.from(packets.bytes);
    stamped(packets, { channel: 9, sequence: 9, timestamp: 9, ssrc: 9 });
    expect(packets.bytes).toEqual(before);
  });
});

describe('sender reports', () => {
  const report = { channel: 1, ssrc: 0xfedcba98, timestamp: 2 ** 32 + 7, packets: 11, octets: 13 };

  test('tell time, packets and bytes, and are followed by the name (RFC 3550, 6.1, 6.4.1, 6.5)', () => {
    const [frame, ...others] = framesOf(senderReport({ ...report, time: 1_500, name: 'abc' }));
    expect(others).toEqual([]);
    const { channel, packet } = frame as { channel: number; packet: Buffer };
    expect(channel).toBe(1);
    expect([...packet.subarray(0, 4)]).toEqual([0x80, 200, 0, 6]);
    const words = Array.from({ length: 6 }, (_, index) => packet.readUInt32BE(4 + 4 * index));
    expect(words).toEqual([0xfedcba98, 2_208_988_801, 2 ** 31, 7, 11, 13]);
    expect(packet.subarray(28)).toEqual(
      bytes(0x81, 202, 0, 3, 0xfe, 0xdc, 0xba, 0x98, 1, 3, 0x61, 0x62, 0x63, 0, 0, 0),
    );
  });

  test('end at a multiple of four bytes, with a zero byte at least (RFC 3550, 6.5)', () => {
    for (const name of ['', 'a', 'ab', 'abc', 'abcd']) {
      const [frame] = framesOf(senderReport({ ...report, time: 0, name }));
      const packet = frame?.packet as Buffer;
      expect(packet.length % 4).toBe(0);
      expect(packet.at(-1)).toBe(0);
      expect(packet.length).toBe(28 + 4 * (packet.readUInt16BE(30) + 1));
    }
  });
});

describe('the description', () => {
  test('names profile and parameter sets (RFC 6184, 8.2.1)', () => {
    const text = description({ sps: bytes(0x67, 0x42, 0xc0, 0x1e), pps: bytes(0x68, 1) });
    expect(text.split('\r\n')).toContain(
      'a=fmtp:96 packetization-mode=1;profile-level-id=42C01E;sprop-parameter-sets=Z0LAHg==,aAE=',
    );
    expect(text).toContain('m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n');
    expect(text.endsWith('\r\n')).toBe(true);
  });
});

describe('the pictures', () => {
  const names = Object.keys(pictureFiles) as PictureName[];
  const file = (name: PictureName) => readFileSync(new URL(`assets/${name}.h264`, import.meta.url));

  test('are small', () => {
    for (const name of names) expect(file(name).length).toBeLessThan(12_000);
  });

  test.each(names)('%s begins with its parameter sets and a complete picture that the others repeat', (name) => {
    const types = accessUnits(nalUnits(file(name))).map((unit) => unit.map(nalType));
    expect(types).toEqual([[7, 8, 5], [1], [1], [1], [1]]);
    expect(pictureFiles[name].frames.length).toBe(5);
    // Constrained baseline, which everything decodes (H.264, A.2.1).
    expect([...pictureFiles[name].sps.subarray(1, 3)]).toEqual([0x42, 0xc0]);
  });

  test('can follow each other in one stream', () => {
    for (const { sps, pps } of Object.values(pictureFiles)) {
      expect(sps).toEqual(pictureFiles.connecting.sps);
      expect(pps).toEqual(pictureFiles.connecting.pps);
    }
  });
});
