import type { Server } from 'socket.io';

/** How often something happened in one second, as the Admin UI adds it up. */
export interface Occurrence {
  /** Milliseconds since 1970, of whole seconds. */
  timestamp: number;
  type: 'rawConnection' | 'rawDisconnection' | 'packetsIn' | 'packetsOut' | 'bytesIn' | 'bytesOut';
  subType?: string;
  count: number;
}

interface Packet {
  data?: string | Buffer;
  options?: { wsPreEncodedFrame?: readonly Buffer[] };
}

interface RawSocket {
  transport: { name: string };
  on(event: 'packet' | 'packetCreate', listener: (packet: Packet) => void): void;
  on(event: 'close', listener: (reason: string) => void): void;
}

const bytesOf = ({ data, options }: Packet): number =>
  options?.wsPreEncodedFrame?.reduce((sum, { length }) => sum + length, 0) ?? Buffer.byteLength(data ?? '');

/** Counts what the connections of this gateway do, from now on. */
export class Traffic {
  readonly #counts = new Map<string, Occurrence>();
  readonly #io: Server;

  constructor(io: Server) {
    this.#io = io;
    io.engine.on('connection', (socket: RawSocket) => this.#watch(socket));
  }

  /** What happened since it was asked last. */
  taken(): Occurrence[] {
    const all = [...this.#counts.values()];
    this.#counts.clear();
    return all;
  }

  get pollingClients(): number {
    const { clients } = this.#io.engine as unknown as { clients: Record<string, RawSocket> };
    return Object.values(clients).filter(({ transport }) => transport.name === 'polling').length;
  }

  #watch(socket: RawSocket): void {
    this.#count('rawConnection');
    socket.on('packet', (packet) => {
      if (packet.data) this.#moved('In', packet);
    });
    socket.on('packetCreate', (packet) => {
      if (packet.data) this.#moved('Out', packet);
    });
    socket.on('close', (reason) => this.#count('rawDisconnection', 1, reason));
  }

  #moved(direction: 'In' | 'Out', packet: Packet): void {
    this.#count(`packets${direction}`);
    this.#count(`bytes${direction}`, bytesOf(packet));
  }

  #count(type: Occurrence['type'], count = 1, subType?: string): void {
    const timestamp = Math.floor(Date.now() / 1_000) * 1_000;
    const key = `${timestamp} ${type} ${subType ?? ''}`;
    const known = this.#counts.get(key);
    if (known) known.count += count;
    else this.#counts.set(key, { timestamp, type, ...(subType !== undefined && { subType }), count });
  }
}
