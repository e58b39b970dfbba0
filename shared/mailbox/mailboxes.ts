import { Slots } from './slots.ts';

/** What is done for one key when it is woken. It never runs twice at once for the same key. */
export type Step = (key: string) => Promise<void>;

export interface MailboxOptions {
  /** Steps that run at a time over all keys; the rest waits in order of waking. */
  concurrency: number;
  /** What steps do aside at a time; the rest waits, one per key at most: the urgent first, each in order of asking. */
  aside: number;
  /** A step should settle its own errors; what escapes comes here. */
  onError(key: string, error: unknown): void;
}

export interface Aside {
  /** Goes before what is not and waits as well. */
  isUrgent?: boolean;
  /** Asked when its turn comes, which may be long after the step looked. */
  mayBegin?: () => boolean;
}

/** What was to be done aside was not begun: the mailboxes stopped, or it may not any more. */
export class Dropped extends Error {
  override readonly name = 'Dropped';
}

/**
 * A serial mailbox per key. What wakes a key says only that something may have changed, so a mailbox holds one wake at
 * most, however often it is woken: it cannot overflow, and a wake that comes during a step is followed by another step.
 */
export class Mailboxes {
  readonly #step: Step;
  readonly #options: MailboxOptions;
  readonly #lanes: Slots;
  readonly #asides: Slots;
  readonly #waiting = new Set<string>();
  readonly #running = new Set<string>();
  readonly #timers = new Map<string, NodeJS.Timeout>();
  #stopped = false;
  #idle: (() => void)[] = [];

  constructor(step: Step, options: MailboxOptions) {
    this.#step = step;
    this.#options = options;
    this.#lanes = new Slots(options.concurrency);
    this.#asides = new Slots(options.aside);
  }

  wake(key: string): void {
    if (this.#stopped) return;
    clearTimeout(this.#timers.get(key));
    this.#timers.delete(key);
    this.#waiting.add(key);
    this.#drain();
  }

  /** Instead of any later time that was set before. `ms` beyond a day counts as a day. */
  wakeIn(key: string, ms: number): void {
    if (this.#stopped) return;
    clearTimeout(this.#timers.get(key));
    const timer = setTimeout(() => this.wake(key), Math.min(Math.max(ms, 0), 86_400_000));
    timer.unref();
    this.#timers.set(key, timer);
  }

  /**
   * Something slow that a step waits for without keeping steps of other keys from running meanwhile; its own key has no
   * other step until it is over. To be called within a step, not within another `aside`.
   * @throws Dropped where it was not begun
   */
  async aside<T>(work: () => Promise<T>, { isUrgent = false, mayBegin = () => true }: Aside = {}): Promise<T> {
    if (this.#stopped) throw new Dropped();
    this.#lanes.give();
    this.#drain();
    try {
      await this.#asides.take(isUrgent);
      try {
        if (this.#stopped || !mayBegin()) throw new Dropped();
        return await work();
      } finally {
        this.#asides.give();
      }
    } finally {
      await this.#lanes.take();
    }
  }

  /** Forgets times that were set; a step that runs ends by itself. */
  forget(key: string): void {
    clearTimeout(this.#timers.get(key));
    this.#timers.delete(key);
    this.#waiting.delete(key);
  }

  /** Resolves when no step runs any more; none begins, nor does what waits to be done aside. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    this.#waiting.clear();
    this.#asides.refuse(new Dropped());
    if (this.#running.size > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #drain(): void {
    for (const key of this.#waiting) {
      if (this.#running.has(key)) continue;
      if (!this.#lanes.tryTake()) return;
      void this.#run(key);
    }
  }

  async #run(key: string): Promise<void> {
    this.#waiting.delete(key);
    this.#running.add(key);
    try {
      await this.#step(key);
    } catch (error) {
      this.#options.onError(key, error);
    }
    this.#running.delete(key);
    this.#lanes.give();
    if (this.#running.size === 0) for (const resolve of this.#idle.splice(0)) resolve();
    this.#drain();
  }
}
