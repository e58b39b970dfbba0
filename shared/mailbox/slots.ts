interface Waiter {
  begin(): void;
  refuse(error: Error): void;
}

/** A number of places; who comes when all are taken waits: the urgent before the others, each in order. */
export class Slots {
  #free: number;
  readonly #urgent: Waiter[] = [];
  readonly #others: Waiter[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  /** Whether there was one. */
  tryTake(): boolean {
    if (this.#free === 0) return false;
    this.#free -= 1;
    return true;
  }

  /** @throws what `refuse` is called with while it waits */
  async take(isUrgent = false): Promise<void> {
    if (this.tryTake()) return;
    const queue = isUrgent ? this.#urgent : this.#others;
    await new Promise<void>((begin, refuse) => queue.push({ begin, refuse }));
  }

  give(): void {
    const next = this.#urgent.shift() ?? this.#others.shift();
    if (next) next.begin();
    else this.#free += 1;
  }

  /** Who waits now gets none. */
  refuse(error: Error): void {
    for (const { refuse } of [...this.#urgent.splice(0), ...this.#others.splice(0)]) refuse(error);
  }
}
