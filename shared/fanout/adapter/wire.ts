import { Decoder, Encoder, type Packet } from 'socket.io-parser';

/** What a NATS message of the adapter says beside the packet. */
export interface Header {
  /** Unique over the cluster: who published it and a counter. */
  id: string;
  /** None: everybody of the namespace. */
  rooms: readonly string[];
  except: readonly string[];
  volatile?: boolean;
  compress?: boolean;
  /** A client's acknowledgement is awaited: the packet is nothing a later session could answer. */
  acked?: boolean;
  /** Not a packet for clients: a message between servers. */
  control?: boolean;
}

/** Header as it travels, beside the id: only what differs from the usual. */
interface Extras {
  r?: readonly string[];
  e?: readonly string[];
  v?: 1;
  c?: boolean;
  a?: 1;
  k?: 1;
  /** Bytes of each part, where there are several. */
  l?: number[];
}

const newline = 0x0a;
const space = 0x20;
const encoder = new Encoder();

const bytesOf = (part: unknown): Buffer => {
  if (Buffer.isBuffer(part)) return part;
  if (part instanceof ArrayBuffer) return Buffer.from(part);
  if (ArrayBuffer.isView(part)) return Buffer.from(part.buffer, part.byteOffset, part.byteLength);
  return Buffer.from(String(part));
};

/** A packet as it goes to clients: its text, then its binary attachments. */
export const encodePacket = (packet: unknown): Buffer[] => encoder.encode(packet as Packet).map(bytesOf);

/** @throws Error where the parts are no packet */
export function decodePacket(parts: readonly Buffer[]): Packet {
  let packet: Packet | undefined;
  const decoder = new Decoder({ maxAttachments: 65_536 });
  decoder.on('decoded', (decoded: Packet) => {
    packet = decoded;
  });
  parts.forEach((part, index) => {
    decoder.add(index === 0 ? part.toString() : part);
  });
  if (!packet) throw new Error('a packet without all of its attachments');
  return packet;
}

/** Any value that Socket.IO itself could send, binary parts included. */
export const encodeValue = (value: unknown): Buffer[] => encodePacket({ type: 2, nsp: '/', data: ['', value] });
export const decodeValue = (parts: readonly Buffer[]): unknown => decodePacket(parts).data[1];

function extrasOf(header: Header, parts: readonly Buffer[]): Extras | null {
  const { rooms, except, volatile, compress, acked, control } = header;
  const extras: Extras = {
    ...(rooms.length > 0 && { r: rooms }),
    ...(except.length > 0 && { e: except }),
    ...(volatile && { v: 1 as const }),
    ...(compress !== undefined && { c: compress }),
    ...(acked && { a: 1 as const }),
    ...(control && { k: 1 as const }),
    ...(parts.length > 1 && { l: parts.map((part) => part.length) }),
  };
  return Object.keys(extras).length > 0 ? extras : null;
}

/** `<id>[ <extras as JSON>]\n` and the parts. */
export function encodeMessage(header: Header, parts: readonly Buffer[]): Buffer {
  const extras = extrasOf(header, parts);
  const line = extras ? `${header.id} ${JSON.stringify(extras)}\n` : `${header.id}\n`;
  return Buffer.concat([Buffer.from(line), ...parts]);
}

export interface Message extends Header {
  parts: Buffer[];
}

/** @throws Error on what no adapter made */
export function decodeMessage(data: Uint8Array): Message {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const end = bytes.indexOf(newline);
  if (end < 1) throw new Error('a message without a header');
  const gap = bytes.subarray(0, end).indexOf(space);
  const body = bytes.subarray(end + 1);
  if (gap < 0) return { id: bytes.toString('latin1', 0, end), rooms: [], except: [], parts: [body] };
  const extras = JSON.parse(bytes.toString('utf8', gap + 1, end)) as Extras;
  return {
    id: bytes.toString('latin1', 0, gap),
    rooms: extras.r ?? [],
    except: extras.e ?? [],
    ...(extras.v && { volatile: true }),
    ...(extras.c !== undefined && { compress: extras.c }),
    ...(extras.a && { acked: true }),
    ...(extras.k && { control: true }),
    parts: extras.l ? split(body, extras.l) : [body],
  };
}

function split(body: Buffer, lengths: readonly number[]): Buffer[] {
  let start = 0;
  return lengths.map((length) => {
    start += length;
    return body.subarray(start - length, start);
  });
}

/** Event packets and those with attachments: the ones that carry an offset. */
const isEvent = (text: Buffer): boolean => text[0] === 0x32 || text[0] === 0x35;

/** The packet with one more argument at its end, which is where a client looks for its offset. */
export function withOffset(parts: Buffer[], offset: string): Buffer[] {
  const [text, ...attachments] = parts;
  if (!text || !isEvent(text)) return parts;
  return [Buffer.concat([text.subarray(0, text.length - 1), Buffer.from(`,"${offset}"]`)]), ...attachments];
}

export interface Offset {
  sequence: number;
  id: string;
}

/** The message a client saw last: its place in the stream, and its id, since a server that crashes reuses places. */
export const encodeOffset = ({ sequence, id }: Offset): string => `${sequence.toString(36)}.${id}`;

export function decodeOffset(text: string): Offset | null {
  const [, sequence, id] = /^([0-9a-z]{1,10})\.([0-9a-zA-Z]{1,40})$/.exec(text) ?? [];
  return sequence && id ? { sequence: Number.parseInt(sequence, 36), id } : null;
}

const sequenceHeader = Buffer.from('Nats-Sequence: ');

/** Nats-Sequence of a republished message's headers, 0 where there is none; nats.js would parse all of them. */
export function sequenceIn(headers: Uint8Array | undefined): number {
  if (!headers) return 0;
  const bytes = Buffer.from(headers.buffer, headers.byteOffset, headers.byteLength);
  const found = bytes.indexOf(sequenceHeader);
  if (found < 0) return 0;
  let sequence = 0;
  for (let at = found + sequenceHeader.length; ; at += 1) {
    const digit = (bytes[at] ?? 0) - 0x30;
    if (digit < 0 || digit > 9) return sequence;
    sequence = sequence * 10 + digit;
  }
}
