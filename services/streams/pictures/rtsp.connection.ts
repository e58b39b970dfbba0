import { connect, type Socket } from 'node:net';
import { AnswerReader, encodeRequest, type RtspAnswer, type RtspRequest } from './rtsp.request.rules.ts';

const connectMs = 2_000;
const answerMs = 5_000;
/** The server may take this long to see that we leave. */
const leaveMs = 1_000;
/** Bytes that may wait for a slow server. */
const maxBehind = 32_768;

interface Pending {
  cseq: number;
  resolve(answer: RtspAnswer): void;
  reject(error: Error): void;
}

/** A connection to an RTSP server that carries packets too. */
export class RtspConnection {
  readonly #socket: Socket;
  readonly #reader = new AnswerReader();
  #pending: Pending | undefined;
  #cseq = 0;
  #error: Error | undefined;
  /** What is said before the connection is closed because of the signal. */
  goodbye: RtspRequest | undefined;
  /** Resolves when it is over, with what was wrong where neither the server nor the signal ended it. */
  readonly ended: Promise<Error | undefined>;

  private constructor(socket: Socket, signal: AbortSignal) {
    this.#socket = socket;
    const leave = () => this.#leave();
    signal.addEventListener('abort', leave, { once: true });
    this.ended = new Promise((resolve) => {
      socket.once('close', () => {
        signal.removeEventListener('abort', leave);
        this.#pending?.reject(this.#error ?? new Error('The server closed the connection'));
        resolve(this.#error);
      });
    });
    // What comes after it is 'close', which says enough.
    socket.on('error', () => {});
    socket.on('data', (chunk) => this.#receive(chunk));
  }

  /**
   * @param signal closes it
   * @throws Error where nobody is there within 2 s, or the signal comes before
   */
  static async open(host: string, port: number, signal: AbortSignal): Promise<RtspConnection> {
    signal.throwIfAborted();
    const socket = connect({ host: host.replace(/^\[|\]$/g, ''), port, noDelay: true });
    const connection = new RtspConnection(socket, signal);
    const late = setTimeout(() => socket.destroy(new Error(`No connection within ${connectMs} ms`)), connectMs);
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once('connect', resolve);
        socket.once('error', reject);
        socket.once('close', () => reject(new Error('The connection was closed')));
      });
    } finally {
      clearTimeout(late);
    }
    return connection;
  }

  /** One request at a time. @throws Error where the answer does not come within 5 s; the connection is closed then */
  async ask(request: RtspRequest): Promise<RtspAnswer> {
    this.#cseq += 1;
    const cseq = this.#cseq;
    const late = setTimeout(() => this.close(new Error(`${request.method} was not answered in time`)), answerMs);
    try {
      return await new Promise<RtspAnswer>((resolve, reject) => {
        if (!this.#socket.writable) throw new Error('The connection is closed');
        this.#pending = { cseq, resolve, reject };
        this.#socket.write(encodeRequest(request, cseq));
      });
    } finally {
      clearTimeout(late);
      this.#pending = undefined;
    }
  }

  /** Whether so much waits for the server that more has no use. */
  get behind(): boolean {
    return this.#socket.writableLength > maxBehind;
  }

  send(frames: Buffer): void {
    if (this.#socket.writable) this.#socket.write(frames);
  }

  close(error?: Error): void {
    this.#error ??= error;
    this.#socket.destroy();
  }

  #leave(): void {
    if (this.goodbye && this.#socket.writable) {
      this.#socket.end(encodeRequest(this.goodbye, this.#cseq + 1));
      const late = setTimeout(() => this.close(), leaveMs);
      this.#socket.once('close', () => clearTimeout(late));
    } else {
      this.close();
    }
  }

  #receive(chunk: Buffer): void {
    try {
      for (const answer of this.#reader.push(chunk)) {
        if (answer.cseq === this.#pending?.cseq) this.#pending.resolve(answer);
      }
    } catch (error) {
      this.close(error as Error);
    }
  }
}
