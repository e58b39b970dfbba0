/** What a follower must know of a stream: when it was made, and its newest sequence. */
export interface StreamEnd {
  created: string;
  last: number;
}

/** Where a follower goes on in a stream, which outlives consumers, links and servers. */
export class Place {
  #created: string | undefined;
  /** The sequence to handle next. */
  next = 0;

  /**
   * The end of the stream the first time, the start of one that was made anew. A server that lost its power may have
   * lost the newest events, whose sequences it gives away again; `lost` tells how many.
   */
  find({ created, last }: StreamEnd): { lost: number } {
    const lost = this.#created === created ? Math.max(0, this.next - last - 1) : 0;
    if (this.#created === undefined || lost > 0) this.next = last + 1;
    else if (this.#created !== created) this.next = 1;
    this.#created = created;
    return { lost };
  }
}
