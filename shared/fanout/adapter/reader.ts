import type { Connection } from './engine.ts';

export interface ReaderLimits {
  /** Bytes that may wait for one connection in this process; 1 MiB. A single larger packet may, alone. */
  maxQueuedBytes: number;
  /** Milliseconds something may wait without the client taking any of it; 30 s. */
  maxStall: number;
  /** Told of each connection that is cut. */
  onCut?: (reason: 'bytes' | 'time') => void;
}

const sweepEvery = 1_000;

/** Those that wait for their client to read. Swept by one timer, which runs only while there are some. */
const waiting = new Set<Reader>();
let sweeper: NodeJS.Timeout | undefined;

function sweep(): void {
  const now = performance.now();
  for (const reader of waiting) reader.check(now);
  if (waiting.size > 0) return;
  clearInterval(sweeper);
  sweeper = undefined;
}

/** Ends a connection at once, whatever waits for it; its sessions may come back. */
export function cutConnection(conn: Connection): void {
  const { socket } = conn.transport;
  conn.close(true);
  // A WebSocket would wait 30 s for the close frame of a client that does not read, and keep all of it.
  socket?.terminate?.();
}

/** Whether nothing waits for the client: what was written directly is not seen by the transport. */
export const isIdle = ({ transport }: Connection): boolean =>
  transport.writable && (transport.socket?._socket?.writableLength ?? 0) === 0;

/** Keeps count of what waits for one connection and cuts it when its client does not read. */
export class Reader {
  /** True as soon as it is decided: nothing more is queued then. */
  cut = false;
  readonly #conn: Connection;
  readonly #limits: ReaderLimits;
  #queued = 0;
  #taken = 0;
  #takenAt = 0;
  #flushes = 0;

  constructor(conn: Connection, limits: ReaderLimits) {
    this.#conn = conn;
    this.#limits = limits;
  }

  /** So many bytes are about to be written to the connection. */
  queued(bytes: number): void {
    if (isIdle(this.#conn)) {
      this.#queued = bytes;
      return;
    }
    const before = this.#held();
    this.#queued += bytes;
    if (before > 0 && before + bytes > this.#limits.maxQueuedBytes) this.#end('bytes');
    else this.#wait();
  }

  /** The queue went to the transport. */
  flushed(): void {
    this.#flushes += 1;
    this.#queued = 0;
    this.#wait();
  }

  /** Something went to the network, where nothing waited. */
  written(): void {
    if (this.#held() > 0) this.#wait();
  }

  check(now: number): void {
    const { readyState, transport } = this.#conn;
    if (this.cut || readyState === 'closed' || (transport.writable && this.#held() === 0)) {
      waiting.delete(this);
      return;
    }
    const taken = this.#takenNow();
    if (taken !== this.#taken) {
      this.#taken = taken;
      this.#takenAt = now;
    } else if (now - this.#takenAt >= this.#limits.maxStall) this.#end('time');
  }

  #held(): number {
    return this.#queued + (this.#conn.transport.socket?._socket?.writableLength ?? 0);
  }

  /** Changes while the client reads: what the system took of what was written, or how often a client polled. */
  #takenNow(): number {
    const raw = this.#conn.transport.socket?._socket;
    return raw ? raw.bytesWritten - raw.writableLength - (raw._handle?.writeQueueSize ?? 0) : this.#flushes;
  }

  #wait(): void {
    if (this.cut || waiting.has(this)) return;
    this.#taken = this.#takenNow();
    this.#takenAt = performance.now();
    waiting.add(this);
    sweeper ??= setInterval(sweep, sweepEvery).unref();
  }

  #end(reason: 'bytes' | 'time'): void {
    if (this.cut) return;
    this.cut = true;
    waiting.delete(this);
    this.#limits.onCut?.(reason);
    // Later: the one who writes right now would find its connection closed under its hands.
    setImmediate(() => cutConnection(this.#conn));
  }
}
