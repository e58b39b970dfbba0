import type { Connection, RawSocket } from './engine.ts';
import type { Outgoing } from './outgoing.ts';
import { isIdle, Reader, type ReaderLimits } from './reader.ts';
import { type Chain, type Place, turn } from './turn.ts';

const seats = new WeakMap<Connection, Seat>();

/** Whether frames may be written as they are: no compression, no other transport, none to come. */
function takesFrames({ transport, upgrading }: Connection): boolean {
  return (
    transport.name === 'websocket' &&
    !upgrading &&
    !transport.perMessageDeflate &&
    typeof transport.socket?._sender?.sendFrame === 'function'
  );
}

/** `WebSocket.OPEN`. */
const open = 1;

/** Whether anybody but its seat wants to hear of what a connection writes. */
const isOverheard = (conn: Connection): boolean =>
  conn.listenerCount('packetCreate') + conn.listenerCount('flush') > 2 ||
  conn.listenerCount('drain') + conn.server.listenerCount('flush') + conn.server.listenerCount('drain') > 0;

/**
 * The network socket of a connection that takes frames, where nothing waits before it and nobody would miss the
 * connection's events: its own `write` costs about as much again as the system's.
 */
function networkOf(conn: Connection): RawSocket | undefined {
  const { transport, writeBuffer } = conn;
  const { readyState, _socket: network } = transport.socket ?? {};
  const isFree = readyState === open && transport.writable && writeBuffer.length === 0 && network?.writableLength === 0;
  return isFree && !isOverheard(conn) ? network : undefined;
}

/**
 * The place of one Engine.IO connection: what this turn has for it. Frames of one turn go in one write: to the network
 * where nothing waits there, else through the connection's own `write`, so that its queue, its `writable` and its drain
 * events keep their meaning.
 */
export class Seat implements Place {
  readonly #conn: Connection;
  readonly #reader: Reader;
  #chain: Chain | undefined;
  #writing = false;

  constructor(conn: Connection, limits: ReaderLimits) {
    this.#conn = conn;
    this.#reader = new Reader(conn, limits);
    conn.on('packetCreate', (packet: { data?: string | Buffer; options?: { wsPreEncodedFrame?: Buffer[] } }) => {
      // Somebody else writes: what came before goes before.
      if (!this.#writing) {
        turn.distribute();
        this.flush();
      }
      const frame = packet.options?.wsPreEncodedFrame?.reduce((sum, { length }) => sum + length, 0);
      this.#reader.queued(frame ?? packet.data?.length ?? 0);
    });
    conn.on('flush', () => this.#reader.flushed());
  }

  /** The same seat for every namespace of the connection; the limits are those of the first who asks. */
  static of(conn: Connection, limits: ReaderLimits): Seat {
    let seat = seats.get(conn);
    if (!seat) {
      seat = new Seat(conn, limits);
      seats.set(conn, seat);
    }
    return seat;
  }

  get writable(): boolean {
    return isIdle(this.#conn);
  }

  /** All packets of a chain; the chain itself where nothing came before, so that its bytes are joined once. */
  append(chain: Chain, packets: readonly Outgoing[]): void {
    if (this.#reader.cut) return;
    if (!this.#chain) {
      this.#chain = chain;
      turn.written(this);
      return;
    }
    for (const packet of packets) this.#chain = this.#chain.with(packet);
  }

  add(packet: Outgoing): void {
    if (this.#reader.cut) return;
    if (this.#chain) this.#chain = this.#chain.with(packet);
    else {
      this.#chain = turn.root(packet);
      turn.written(this);
    }
  }

  /** Writes what the turn has collected. */
  flush(): void {
    const chain = this.#chain;
    if (!chain) return;
    this.#chain = undefined;
    if (this.#conn.readyState !== 'open') return;
    this.#writing = true;
    try {
      this.#write(chain);
    } finally {
      this.#writing = false;
    }
  }

  #write(chain: Chain): void {
    const joined = takesFrames(this.#conn) ? chain.joined : undefined;
    const network = joined && networkOf(this.#conn);
    if (network) {
      network.write(joined);
      this.#reader.written();
    } else if (joined && chain.before) {
      // The text stands for the frames in events only: this transport takes frames.
      this.#conn.write(chain.packet.encoded[0] as string, { compress: false, wsPreEncodedFrame: [joined] });
    } else for (const packet of chain.packets()) this.#writeOne(packet);
  }

  #writeOne(packet: Outgoing): void {
    const { compress } = packet;
    for (const part of packet.encoded) {
      this.#conn.write(part, { compress, ...(packet.plain && { wsPreEncodedFrame: [packet.frame] }) });
    }
  }
}
