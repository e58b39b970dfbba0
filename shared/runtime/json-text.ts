/**
 * A result as the service that made it wrote it: JSON in UTF-8, to be passed on as it is. Who wants the value parses
 * it, once.
 */
export class JsonText {
  readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  /** Where it ends up inside another value after all, it stands for what it says. */
  toJSON(): unknown {
    return JSON.parse(this.bytes.toString('utf8'));
  }

  toString(): string {
    return this.bytes.toString('utf8');
  }
}
