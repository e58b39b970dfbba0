export interface DemandOptions {
  /** Milliseconds. */
  startTimeout: number;
  closeAfter: number;
  start(query: string): void;
  /** Nobody came in time. */
  late(): void;
  stop(): void;
}

/** Starts what readers need with the first of them and stops it some time after the last. */
export class Demand {
  readonly #options: DemandOptions;
  #state: 'initial' | 'waiting' | 'used' | 'closing' = 'initial';
  #timer: NodeJS.Timeout | undefined;

  constructor(options: DemandOptions) {
    this.#options = options;
  }

  get active(): boolean {
    return this.#state !== 'initial';
  }

  /** A reader has come and there is nothing to read. */
  need(query: string): void {
    if (this.active) return;
    this.#options.start(query);
    this.#become('waiting', this.#options.startTimeout, () => {
      this.#options.late();
      this.stop();
    });
  }

  /** There is something to read now; whoever waited for it is counted as a reader next. */
  arrived(): void {
    if (this.active) this.#close();
  }

  used(): void {
    if (this.#state === 'closing') this.#become('used');
  }

  /** The last reader has left. */
  unused(): void {
    if (this.#state === 'used') this.#close();
  }

  stop(): void {
    if (!this.active) return;
    this.#become('initial');
    this.#options.stop();
  }

  #close(): void {
    this.#become('closing', this.#options.closeAfter, () => this.stop());
  }

  #become(state: 'initial' | 'waiting' | 'used' | 'closing', ms = 0, then?: () => void): void {
    clearTimeout(this.#timer);
    this.#state = state;
    this.#timer = then && setTimeout(then, ms);
  }
}
