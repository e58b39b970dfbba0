import * as parser from 'socket.io-parser';
import { Failure } from '../../shared/contracts/index.ts';
import { maxMessageBytes } from '../core/safe-json.ts';

/** Stands for the argument of a message that is too large, so that it is answered where the client listens. */
export class TooLarge {
  readonly argument: unknown;

  constructor(argument: unknown) {
    this.argument = argument;
  }
}

/** @throws Failure PAYLOAD_TOO_LARGE */
export function assertNotTooLarge(argument: unknown): void {
  if (argument instanceof TooLarge) throw new Failure('PAYLOAD_TOO_LARGE');
}

/**
 * The engine cuts who sends a message above its bound, so that bound is twice ours; between the two the message is
 * read, and what it said is replaced by the fact that it is too large.
 */
export const engineBytes = 2 * maxMessageBytes;

class BoundedDecoder extends parser.Decoder {
  /** Of the packet that is being read, with its binary attachments. */
  #bytes = 0;

  constructor(onTooLarge: () => void) {
    super();
    this.on('decoded', (packet) => {
      if (this.#bytes > maxMessageBytes && packet.type === parser.PacketType.EVENT) {
        packet.data = [packet.data[0], new TooLarge(packet.data[1])];
        onTooLarge();
      }
      this.#bytes = 0;
    });
  }

  override add(data: unknown): void {
    this.#bytes += typeof data === 'string' ? Buffer.byteLength(data) : ((data as Buffer).byteLength ?? 0);
    super.add(data);
  }
}

/** Socket.IO's own parser, which measures what it reads. */
export const boundedParser = (onTooLarge: () => void) => ({
  ...parser,
  Decoder: class extends BoundedDecoder {
    constructor() {
      super(onTooLarge);
    }
  },
});
