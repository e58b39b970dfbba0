import { randomInt } from 'node:crypto';
import { framesPerSecond, type PictureName, pictureFiles } from './picture.files.ts';
import { clockRate, type Packets, senderReport, stamped } from './rtp.h264.rules.ts';
import type { RtspConnection } from './rtsp.connection.ts';
import type { RtspRequest } from './rtsp.request.rules.ts';

export interface FramesOptions {
  connection: Pick<RtspConnection, 'behind' | 'send' | 'ask' | 'close'>;
  /** Of RTP; RTCP has the next. */
  channel: number;
  /** How the sender calls itself in reports. */
  name: string;
  /** Asked for once a second. */
  picture(): PictureName;
  /** Asked of the server now and then. */
  alive: RtspRequest;
}

const ticksPerFrame = clockRate / framesPerSecond;
/** Frames between reports, and between questions whether the server is still there. */
const reportEvery = 5 * framesPerSecond;
const askEvery = 10 * framesPerSecond;
/** Frames for which the server may take nothing. */
const maxStalled = 10 * framesPerSecond;

/** What one session sends. Number, time and source begin at random (RFC 3550, 5.1). */
export class PictureFrames {
  readonly #options: FramesOptions;
  readonly #ssrc = randomInt(2 ** 32);
  readonly #firstTimestamp = randomInt(2 ** 32);
  readonly #begun: number;
  #sequence = randomInt(2 ** 16);
  #turn = -1;
  #stalled = 0;
  #octets = 0;
  #packets = 0;
  /** What is left of the picture's second. */
  #rest: readonly Packets[] = [];

  /** @param slot number of its first frame */
  constructor(options: FramesOptions, slot: number) {
    this.#options = options;
    this.#begun = slot;
  }

  /** Sends the frame of this number, unless the server is too far behind. */
  next(slot: number): void {
    this.#turn += 1;
    if (this.#options.connection.behind) this.#skip();
    else this.#send(this.#firstTimestamp + (slot - this.#begun) * ticksPerFrame);
    if (this.#turn % askEvery === askEvery - 1) this.#ask();
  }

  /** What is left out would be missed by the frames that repeat it: it goes on with the picture itself. */
  #skip(): void {
    this.#rest = [];
    this.#stalled += 1;
    if (this.#stalled > maxStalled) this.#options.connection.close(new Error('The server takes no more data'));
  }

  #send(timestamp: number): void {
    const { connection, channel, picture } = this.#options;
    this.#stalled = 0;
    if (this.#rest.length === 0) this.#rest = pictureFiles[picture()].frames;
    const [frame, ...rest] = this.#rest;
    this.#rest = rest;
    if (!frame) return;
    const ssrc = this.#ssrc;
    if (this.#turn % reportEvery === 0) this.#report(timestamp);
    connection.send(stamped(frame, { channel, sequence: this.#sequence, timestamp, ssrc }));
    this.#sequence = (this.#sequence + frame.starts.length) & 0xffff;
    this.#packets += frame.starts.length;
    this.#octets += frame.octets;
  }

  #report(timestamp: number): void {
    const { connection, channel, name } = this.#options;
    const counts = { packets: this.#packets, octets: this.#octets };
    const report = { channel: channel + 1, ssrc: this.#ssrc, time: Date.now(), timestamp, ...counts, name };
    connection.send(senderReport(report));
  }

  /** Keeps the session (RFC 7826, 10.5); an answer that does not come closes the connection. */
  #ask(): void {
    this.#options.connection.ask(this.#options.alive).catch(() => {});
  }
}
