import { randomUUID } from 'node:crypto';
import type { PathConfig } from './config.ts';
import type { Description } from './path.item.ts';
import type { Path } from './path.ts';
import { controlOf, type Track } from './rtsp.sdp.ts';
import type { RtspFrame } from './rtsp.wire.ts';
import type { FrameWriter, Stream } from './stream.ts';

export type SessionState = 'initial' | 'prePlay' | 'play' | 'preRecord' | 'record';

const apiStates: Record<SessionState, string> = {
  initial: 'idle',
  prePlay: 'idle',
  play: 'read',
  preRecord: 'idle',
  record: 'publish',
};

export interface SessionOptions {
  secure: boolean;
  remoteAddr: string;
  connection: string;
  writer: FrameWriter;
  /** A part of the server itself reads: not listed. */
  hidden: boolean;
  /** Ends the connection. */
  end(reason: string): void;
}

/** What one client reads or publishes. Over TCP it lives as long as its connection. */
export class RtspSession {
  readonly id = randomUUID();
  readonly created = new Date().toISOString();
  readonly description: Description;
  readonly hidden: boolean;
  readonly #options: SessionOptions;
  /** Channel of RTP, by track. */
  readonly channels = new Map<number, number>();
  /** Track, by half the channel. */
  readonly #tracks = new Map<number, number>();
  state: SessionState = 'initial';
  path = '';
  query = '';
  user = '';
  userAgent = '';
  /** What a publisher announced, and what its path was configured with then. */
  announced: Track[] = [];
  admitted: PathConfig | undefined;
  stream: Stream | undefined;
  #target: Path | undefined;
  #stopReceiving: () => void = () => {};
  #unread: () => void = () => {};
  #received = { bytes: 0, packets: 0, rtcp: 0 };

  constructor(options: SessionOptions) {
    this.#options = options;
    this.hidden = options.hidden;
    this.description = { type: options.secure ? 'rtspsSession' : 'rtspSession', id: this.id };
  }

  /** Called by the path when there is no place here any more, and by a kick. */
  close(reason: string): void {
    this.#options.end(reason);
  }

  /** The tracks' controls, as the client's URLs end with them. */
  get controls(): string[] {
    if (this.state === 'preRecord') return this.announced.map(({ control }) => control);
    return (this.stream?.tracks ?? []).map((_track, index) => controlOf(index));
  }

  reads(path: Path, stream: Stream): void {
    this.#target = path;
    this.stream = stream;
    this.state = 'prePlay';
  }

  play(): void {
    const { stream } = this;
    if (!stream || this.state !== 'prePlay') return;
    this.state = 'play';
    if (!this.hidden) this.#unread = this.#target?.read(this.description, this.query) ?? (() => {});
    const { writer } = this.#options;
    this.#stopReceiving = stream.receive(({ track, rtcp, raw }) => {
      const channel = this.channels.get(track);
      if (channel !== undefined) writer.send(raw, channel + (rtcp ? 1 : 0));
    });
  }

  publishes(path: Path, stream: Stream): void {
    this.#target = path;
    this.stream = stream;
    this.state = 'record';
    for (const [track, channel] of this.channels) this.#tracks.set(channel >> 1, track);
  }

  take({ channel, raw }: RtspFrame): void {
    if (this.state !== 'record') return;
    const track = this.#tracks.get(channel >> 1);
    if (track === undefined) return;
    const rtcp = channel % 2 === 1;
    this.#received.bytes += raw.length - 4;
    this.#received[rtcp ? 'rtcp' : 'packets'] += 1;
    this.stream?.write({ track, rtcp, raw });
  }

  /** The client has paused: a reader hears nothing, a publisher is none any more. */
  pause(): void {
    this.#leave(this.state === 'play');
  }

  /** The connection has ended. */
  over(): void {
    this.#leave(false);
    this.state = 'initial';
  }

  #leave(stays: boolean): void {
    const { state } = this;
    this.#stopReceiving();
    this.#unread();
    this.#stopReceiving = () => {};
    this.#unread = () => {};
    this.state = state === 'record' ? 'preRecord' : 'prePlay';
    if (stays) return;
    if (state === 'record') this.#target?.removePublisher(this);
    else this.#target?.removeReader(this);
    this.#target = undefined;
  }

  item(): Record<string, unknown> {
    const { bytes, packets, rtcp } = this.#received;
    const { writer, remoteAddr, connection } = this.#options;
    const reads = this.state === 'play' || this.state === 'prePlay';
    const sent = reads ? { bytes: writer.bytes, packets: writer.packets } : { bytes: 0, packets: 0 };
    const counted = {
      inboundBytes: bytes,
      inboundRTPPackets: packets,
      inboundRTPPacketsLost: 0,
      inboundRTPPacketsInError: 0,
      inboundRTPPacketsJitter: 0,
      inboundRTCPPackets: rtcp,
      inboundRTCPPacketsInError: 0,
      outboundBytes: sent.bytes,
      outboundRTPPackets: sent.packets,
      outboundRTPPacketsReportedLost: 0,
      outboundRTPPacketsDiscarded: writer.discarded,
      outboundRTCPPackets: 0,
      bytesReceived: bytes,
      bytesSent: sent.bytes,
    };
    return {
      id: this.id,
      created: this.created,
      remoteAddr,
      state: apiStates[this.state],
      path: this.path,
      query: this.query,
      user: this.user,
      userAgent: this.userAgent,
      transport: this.channels.size ? 'TCP' : null,
      profile: this.channels.size ? 'AVP' : null,
      conns: [connection],
      ...counted,
    };
  }
}
