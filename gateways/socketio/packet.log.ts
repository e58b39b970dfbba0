export interface LoggedPacket {
  sequence: number;
  data: unknown[];
  rooms: ReadonlySet<string>;
  except: ReadonlySet<string> | undefined;
  /** Roughly, of what is in it. */
  bytes: number;
}
type Entry = LoggedPacket & { at: number };

export interface PacketLogBounds {
  /** Milliseconds for which packets are kept. */
  age: number;
  packets: number;
  /** Roughly, of what is in them. */
  bytes: number;
}

/** The newest packets that were sent, numbered from 1, within bounds. */
export class PacketLog {
  readonly #bounds: PacketLogBounds;
  #entries: Entry[] = [];
  /** The oldest entry that counts; those before it go now and then, as removing them costs the array's length. */
  #head = 0;
  #bytes = 0;
  #newest = 0;

  constructor(bounds: PacketLogBounds) {
    this.#bounds = bounds;
  }

  /** The sequence of the newest packet; 0 where there was none. */
  get newest(): number {
    return this.#newest;
  }

  /** Whether every packet after that sequence is still here. */
  holdsAfter(sequence: number): boolean {
    return sequence + 1 >= (this.#entries[this.#head]?.sequence ?? this.#newest + 1);
  }

  next(): number {
    return this.#newest + 1;
  }

  add(packet: Omit<LoggedPacket, 'sequence' | 'bytes'>, now: number): void {
    this.#newest += 1;
    const bytes = weigh(packet.data);
    this.#bytes += bytes;
    this.#entries.push({ ...packet, sequence: this.#newest, at: now, bytes });
    this.#prune(now);
  }

  *after(sequence: number): Generator<LoggedPacket> {
    const oldest = this.#entries[this.#head]?.sequence ?? 0;
    const from = this.#head + Math.max(0, sequence + 1 - oldest);
    for (let index = from; index < this.#entries.length; index++) yield this.#entries[index] as Entry;
  }

  #prune(now: number): void {
    const { age, packets, bytes } = this.#bounds;
    for (;;) {
      const oldest = this.#entries[this.#head];
      const kept = this.#entries.length - this.#head;
      if (!oldest || (oldest.at > now - age && kept <= packets && this.#bytes <= bytes)) break;
      this.#bytes -= oldest.bytes;
      this.#head += 1;
    }
    if (this.#head < 1_000 || this.#head < this.#entries.length / 2) return;
    this.#entries = this.#entries.slice(this.#head);
    this.#head = 0;
  }
}

const itemBytes = 16;

/** Roughly the bytes of plain data. */
function weigh(value: unknown): number {
  if (typeof value === 'string') return itemBytes + value.length;
  if (typeof value !== 'object' || value === null) return itemBytes;
  if (ArrayBuffer.isView(value)) return itemBytes + value.byteLength;
  let sum = itemBytes;
  for (const [key, item] of Object.entries(value)) sum += key.length + weigh(item);
  return sum;
}
