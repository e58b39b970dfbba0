import { decodePacket } from './wire.ts';

const fin = 0x80;
const textFrame = 0x01;
/** `message` of the Engine.IO protocol, which precedes the text of a packet. */
const message = 0x34;

/** RFC 6455, 5.2: an unmasked text frame, whole in one buffer. */
export function frameOf(text: Buffer): Buffer {
  const length = text.length + 1;
  const head = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(head + length);
  frame[0] = fin | textFrame;
  if (head === 2) frame[1] = length;
  else if (head === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 127;
    frame.writeUInt16BE(0, 2);
    frame.writeUIntBE(length, 4, 6);
  }
  frame[head] = message;
  text.copy(frame, head + 1);
  return frame;
}

type Encode = (packet: unknown) => (string | Buffer)[];

/** A packet on its way to sockets of this server: each of its forms is made once, when it is first needed. */
export class Outgoing {
  readonly parts: readonly Buffer[];
  readonly compress: boolean | undefined;
  readonly #encode: Encode | undefined;
  #frame: Buffer | undefined;
  #encoded: (string | Buffer)[] | undefined;
  #data: unknown;

  /** @param encode of a server whose clients speak another encoding than the usual one */
  constructor(parts: readonly Buffer[], compress: boolean | undefined, encode?: Encode) {
    this.parts = parts;
    this.compress = compress;
    this.#encode = encode;
  }

  /** Packets without attachments are one WebSocket frame. */
  get plain(): boolean {
    return this.parts.length === 1 && !this.#encode;
  }

  get frame(): Buffer {
    this.#frame ??= frameOf(this.parts[0] as Buffer);
    return this.#frame;
  }

  /** As the Engine.IO connection takes it: text, then attachments. */
  get encoded(): readonly (string | Buffer)[] {
    this.#encoded ??= this.#encode
      ? this.#encode(decodePacket(this.parts))
      : this.parts.map((part, index) => (index === 0 ? part.toString() : part));
    return this.#encoded;
  }

  /** The arguments, for listeners of outgoing packets. */
  get data(): unknown {
    this.#data ??= decodePacket(this.parts).data;
    return this.#data;
  }
}
