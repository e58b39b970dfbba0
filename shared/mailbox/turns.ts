/** Runs the tasks of one key one after the other, and those of different keys beside each other. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>();
  readonly #limit: number;
  #waiting = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** A task follows whether or not the one before it failed. @throws Error where too many wait already */
  async take<T>(key: string, task: () => Promise<T>): Promise<T> {
    if (this.#waiting >= this.#limit) throw new Error(`more than ${this.#limit} wait for their turn`);
    this.#waiting += 1;
    const before = this.#last.get(key);
    const mine = before ? before.then(task, task) : task();
    this.#last.set(key, mine);
    try {
      return await mine;
    } finally {
      this.#waiting -= 1;
      if (this.#last.get(key) === mine) this.#last.delete(key);
    }
  }
}
