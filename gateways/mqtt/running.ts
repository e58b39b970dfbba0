/** What runs now, to wait for when a gateway drains. */
export class Running {
  readonly #running = new Set<Promise<void>>();

  get size(): number {
    return this.#running.size;
  }

  add(work: Promise<void>): void {
    this.#running.add(work);
    void work.finally(() => this.#running.delete(work));
  }

  /** Resolves when nothing runs, or after the given milliseconds. */
  async idle(withinMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const bound = new Promise<true>((resolve) => {
      timer = setTimeout(() => resolve(true), withinMs);
    });
    let late: unknown;
    while (this.#running.size > 0 && !late) late = await Promise.race([bound, Promise.race(this.#running)]);
    clearTimeout(timer);
  }
}
