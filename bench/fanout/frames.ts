import { connect, type Socket } from 'node:net';
import { Histogram } from '../lib/histogram.ts';

const micros = () => Number(process.hrtime.bigint() / 1_000n);
const packet = Buffer.from('42["m",');
const ping = 0x32;
/** How the first event of a server begins: that of the bench's, and Trigate's `system:welcome`. */
const greetings = ['42["ready', '42["syste'];

/** Counts packets of many connections; of one in `sampled` it reads how long it took. */
export class Counter {
  delivered = 0;
  latency = new Histogram();
  readonly sampled: number;

  constructor(sampled: number) {
    this.sampled = sampled;
  }

  reset(): void {
    this.delivered = 0;
    this.latency = new Histogram();
  }

  frame(bytes: Buffer, start: number, end: number): void {
    this.delivered += 1;
    if (this.delivered % this.sampled !== 0) return;
    let sent = 0;
    for (let at = start + packet.length; at < end; at += 1) {
      const digit = (bytes[at] as number) - 0x30;
      if (digit < 0 || digit > 9) break;
      sent = sent * 10 + digit;
    }
    this.latency.add((micros() - sent) / 1_000);
  }
}

const masked = (text: string): Buffer => Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0, ...Buffer.from(text)]);

/** A client that only looks at frames: a whole client library would be what is measured. */
export class FrameClient {
  readonly #counter: Counter;
  readonly #tcp: Socket;
  readonly ready: Promise<void>;
  #rest: Buffer = Buffer.alloc(0);
  #upgraded = false;
  #isReady = () => {};

  constructor(port: number, room: string, counter: Counter) {
    this.#counter = counter;
    this.#tcp = connect({ port, host: '127.0.0.1', noDelay: true });
    this.ready = new Promise((resolve) => {
      this.#isReady = resolve;
    });
    this.#tcp.on('data', (bytes: Buffer) => this.#data(bytes));
    this.#tcp.on('error', () => {});
    this.#tcp.write(
      `GET /socket.io/?EIO=4&transport=websocket&room=${room} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n` +
        `Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${Buffer.alloc(16).toString('base64')}\r\n\r\n`,
    );
  }

  close(): void {
    this.#tcp.destroy();
  }

  #data(bytes: Buffer): void {
    let from = 0;
    let all = this.#rest.length > 0 ? Buffer.concat([this.#rest, bytes]) : bytes;
    if (!this.#upgraded) {
      const end = all.indexOf('\r\n\r\n');
      if (end < 0) {
        this.#rest = all;
        return;
      }
      this.#upgraded = true;
      this.#tcp.write(masked('40'));
      all = all.subarray(end + 4);
    }
    for (;;) {
      const short = (all[from + 1] as number) & 0x7f;
      const head = short < 126 ? 2 : short === 126 ? 4 : 10;
      if (all.length < from + head) break;
      const length = short < 126 ? short : short === 126 ? all.readUInt16BE(from + 2) : all.readUIntBE(from + 4, 6);
      if (all.length < from + head + length) break;
      this.#frame(all, from + head, from + head + length);
      from += head + length;
    }
    this.#rest = from < all.length ? Buffer.from(all.subarray(from)) : Buffer.alloc(0);
  }

  #frame(bytes: Buffer, start: number, end: number): void {
    if (bytes[start] === ping) this.#tcp.write(masked('3'));
    else if (bytes[start + 4] === 0x6d) this.#counter.frame(bytes, start, end);
    else if (greetings.includes(bytes.toString('latin1', start, start + 9))) this.#isReady();
  }
}
