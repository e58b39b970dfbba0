/** H.264 in RTP packets (RFC 6184 on RFC 3550), framed for a connection that also carries RTSP (RFC 2326, 10.12). Pure. */

/** Ticks of RTP's clock in a second, for video in H.264 (RFC 6184, 8.2.1). */
export const clockRate = 90_000;
export const payloadType = 96;

/** Of a packet's payload in bytes: fits any link and the packets of WebRTC. */
const maxPayload = 1_200;
const frameHeader = 4;
const rtpHeader = 12;

/** What a NAL unit is (H.264, table 7-1). */
export const nalType = (nal: Buffer): number => (nal[0] ?? 0) & 0x1f;
export const sliceOfIdr = 5;
export const sps = 7;
export const pps = 8;
const fragmentation = 28;

/** The NAL units of a byte stream, without their start codes (H.264, annex B). */
export function nalUnits(stream: Buffer): Buffer[] {
  const units: Buffer[] = [];
  let at = stream.indexOf('\0\0\x01', 0, 'latin1');
  while (at >= 0) {
    const next = stream.indexOf('\0\0\x01', at + 3, 'latin1');
    let end = next < 0 ? stream.length : next;
    // No NAL unit ends with a zero byte (H.264, 7.4.1): these belong to the next start code.
    while (end > at + 3 && stream[end - 1] === 0) end -= 1;
    if (end > at + 3) units.push(stream.subarray(at + 3, end));
    at = next;
  }
  return units;
}

/** NAL units by picture, where each picture is one slice: whatever precedes it belongs to it. */
export function accessUnits(units: readonly Buffer[]): Buffer[][] {
  const pictures: Buffer[][] = [];
  let current: Buffer[] = [];
  for (const unit of units) {
    current.push(unit);
    if (nalType(unit) > sliceOfIdr) continue;
    pictures.push(current);
    current = [];
  }
  return pictures;
}

/** A NAL unit as payloads: itself (RFC 6184, 5.6), or fragments where it is too large (5.8, FU-A). */
export function payloadsOf(nal: Buffer, largest = maxPayload): Buffer[] {
  if (nal.length <= largest) return [nal];
  const [header, body] = [nal[0] as number, nal.subarray(1)];
  const step = largest - 2;
  const payloads: Buffer[] = [];
  for (let at = 0; at < body.length; at += step) {
    const [start, end] = [at === 0 ? 0x80 : 0, at + step >= body.length ? 0x40 : 0];
    const head = [(header & 0xe0) | fragmentation, start | end | (header & 0x1f)];
    payloads.push(Buffer.concat([Buffer.from(head), body.subarray(at, at + step)]));
  }
  return payloads;
}

/** One picture as interleaved frames that lack channel, number, time and source. */
export interface Packets {
  bytes: Buffer;
  /** Where each frame begins. */
  starts: readonly number[];
  /** Bytes of payload in them. */
  octets: number;
}

/** The packets of one picture: version 2, and the marker on the last (RFC 3550, 5.1; RFC 6184, 5.1). */
export function packetsOf(unit: readonly Buffer[]): Packets {
  const payloads = unit.flatMap((nal) => payloadsOf(nal));
  const starts: number[] = [];
  let at = 0;
  const frames = payloads.map((payload, index) => {
    const head = Buffer.alloc(frameHeader + rtpHeader);
    head[0] = 0x24;
    head.writeUInt16BE(rtpHeader + payload.length, 2);
    head[4] = 0x80;
    head[5] = payloadType | (index === payloads.length - 1 ? 0x80 : 0);
    starts.push(at);
    at += head.length + payload.length;
    return Buffer.concat([head, payload]);
  });
  return { bytes: Buffer.concat(frames), starts, octets: payloads.reduce((sum, { length }) => sum + length, 0) };
}

export interface Stamp {
  channel: number;
  /** Of the first packet. */
  sequence: number;
  timestamp: number;
  ssrc: number;
}

/** A picture's packets for one session, ready to be written. Numbers wrap as their fields do (RFC 3550, 5.1). */
export function stamped({ bytes, starts }: Packets, { channel, sequence, timestamp, ssrc }: Stamp): Buffer {
  const copy = Buffer.from(bytes);
  starts.forEach((start, index) => {
    copy[start + 1] = channel;
    copy.writeUInt16BE((sequence + index) & 0xffff, start + 6);
    copy.writeUInt32BE(timestamp >>> 0, start + 8);
    copy.writeUInt32BE(ssrc >>> 0, start + 12);
  });
  return copy;
}

export interface Report {
  /** Of RTCP. */
  channel: number;
  ssrc: number;
  /** Milliseconds since 1970 at which `timestamp` is shown. */
  time: number;
  timestamp: number;
  packets: number;
  octets: number;
  /** Name of the sender: at most 255 bytes. */
  name: string;
}

/** Seconds from 1900, where NTP begins, to 1970. */
const ntpEpoch = 2_208_988_800;

/** A sender report (RFC 3550, 6.4.1) and the sender's name (6.5.1), which go together (6.1), as an interleaved frame. */
export function senderReport({ channel, ssrc, time, timestamp, packets, octets, name }: Report): Buffer {
  const text = Buffer.from(name);
  // A chunk ends with one to four zero bytes, at a multiple of four.
  const chunk = 4 + 2 + text.length + (4 - ((2 + text.length) % 4));
  const frame = Buffer.alloc(frameHeader + 28 + 4 + chunk);
  frame.set([0x24, channel]);
  frame.writeUInt16BE(frame.length - frameHeader, 2);
  const report = frame.subarray(frameHeader);
  report.set([0x80, 200, 0, 6]);
  report.writeUInt32BE(ssrc >>> 0, 4);
  report.writeUInt32BE((Math.floor(time / 1_000) + ntpEpoch) >>> 0, 8);
  report.writeUInt32BE(Math.floor(((time % 1_000) / 1_000) * 2 ** 32) >>> 0, 12);
  report.writeUInt32BE(timestamp >>> 0, 16);
  report.writeUInt32BE(packets >>> 0, 20);
  report.writeUInt32BE(octets >>> 0, 24);
  const description = report.subarray(28);
  description.set([0x81, 202]);
  description.writeUInt16BE(chunk / 4, 2);
  description.writeUInt32BE(ssrc >>> 0, 4);
  description.set([1, text.length, ...text], 8);
  return frame;
}

/** The description that ANNOUNCE carries: one track, its parameter sets in it (RFC 8866; RFC 6184, 8.2.1). */
export function description(parameters: { sps: Buffer; pps: Buffer }): string {
  const sets = [parameters.sps, parameters.pps].map((set) => set.toString('base64')).join(',');
  const profile = parameters.sps.subarray(1, 4).toString('hex').toUpperCase();
  const lines = [
    'v=0',
    'o=- 0 0 IN IP4 127.0.0.1',
    's=Trigate',
    'c=IN IP4 0.0.0.0',
    't=0 0',
    `m=video 0 RTP/AVP ${payloadType}`,
    `a=rtpmap:${payloadType} H264/${clockRate}`,
    `a=fmtp:${payloadType} packetization-mode=1;profile-level-id=${profile};sprop-parameter-sets=${sets}`,
    `a=control:${trackControl}`,
  ];
  return `${lines.join('\r\n')}\r\n`;
}

/** What the description calls the track: SETUP goes to the URL and this. */
export const trackControl = 'trackID=0';
