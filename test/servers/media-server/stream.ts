import type { Socket } from 'node:net';
import type { Track } from './rtsp.sdp.ts';
import { onChannel } from './rtsp.wire.ts';

/** One RTP or RTCP packet on its way from a publisher to the readers. */
export interface Packet {
  track: number;
  rtcp: boolean;
  /** With room for the header of an interleaved frame in its first four bytes. */
  raw: Buffer;
}

export type Receiver = (packet: Packet) => void;

/** The packets of one publisher or source, from its beginning to its end. They are sent on as they come. */
export class Stream {
  readonly tracks: readonly Track[];
  readonly #receivers = new Set<Receiver>();
  inboundBytes = 0;
  outboundBytes = 0;

  constructor(tracks: readonly Track[]) {
    this.tracks = tracks;
  }

  write(packet: Packet): void {
    const bytes = packet.raw.length - 4;
    this.inboundBytes += bytes;
    this.outboundBytes += bytes * this.#receivers.size;
    for (const receive of this.#receivers) receive(packet);
  }

  /** Returns what ends it. */
  receive(receiver: Receiver): () => void {
    this.#receivers.add(receiver);
    return () => {
      this.#receivers.delete(receiver);
    };
  }
}

/** A reader who is this many bytes behind misses packets until it has caught up. */
const maxBehind = 2_000_000;

/** Sends packets as interleaved frames; those of one turn of the event loop go out together. */
export class FrameWriter {
  readonly #socket: Socket;
  #corked = false;
  packets = 0;
  bytes = 0;
  discarded = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  send(raw: Buffer, channel: number): void {
    if (this.#socket.destroyed || !this.#socket.writable) return;
    if (this.#socket.writableLength > maxBehind) {
      this.discarded += 1;
      return;
    }
    if (!this.#corked) {
      this.#corked = true;
      this.#socket.cork();
      setImmediate(() => {
        this.#corked = false;
        this.#socket.uncork();
      });
    }
    this.packets += 1;
    this.bytes += raw.length - 4;
    this.#socket.write(onChannel(raw, channel));
  }
}
