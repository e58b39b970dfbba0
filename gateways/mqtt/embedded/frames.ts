/**
 * Follows the packets of an MQTT byte stream by their fixed headers (MQTT 3.1.1, 2.2) without keeping a byte, so that a
 * packet that is too large is refused when its length is read and not after it was collected.
 */
export class FrameGuard {
  readonly #first: number;
  readonly #further: number;
  #seen = 0;
  /** Bytes of the current packet still to come. */
  #left = 0;
  /** Position in the fixed header: 0 is the type, then the bytes of the length. */
  #position = 0;
  #length = 0;

  /** Bytes the first packet (CONNECT, from somebody unknown) and each further one may have. */
  constructor(first: number, further: number) {
    this.#first = first;
    this.#further = further;
  }

  /** @returns false for a packet that is too large or whose length is malformed */
  accepts(chunk: Buffer): boolean {
    for (let index = 0; index < chunk.length; ) {
      if (this.#left > 0) {
        const step = Math.min(this.#left, chunk.length - index);
        this.#left -= step;
        index += step;
      } else if (!this.#header(chunk[index++] as number)) {
        return false;
      }
    }
    return true;
  }

  #header(byte: number): boolean {
    if (this.#position === 0) {
      this.#position = 1;
      this.#length = 0;
      return true;
    }
    this.#length += (byte & 0x7f) * 128 ** (this.#position - 1);
    if (byte & 0x80) return this.#position++ < 4;
    this.#position = 0;
    this.#left = this.#length;
    this.#seen += 1;
    return this.#length <= (this.#seen === 1 ? this.#first : this.#further);
  }
}
