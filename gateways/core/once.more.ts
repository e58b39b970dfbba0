/** Work that is asked for now and then: one at a time, and once more where it was asked for meanwhile, however often. */
export class OnceMore {
  readonly #work: () => Promise<void>;
  #asked = false;
  #running = false;

  /** @param work does not reject */
  constructor(work: () => Promise<void>) {
    this.#work = work;
  }

  /** Whether it runs again when this run is over. */
  get isAsked(): boolean {
    return this.#asked;
  }

  ask(): void {
    this.#asked = true;
    if (this.#running) return;
    this.#running = true;
    void this.#run().finally(() => {
      this.#running = false;
    });
  }

  async #run(): Promise<void> {
    while (this.#asked) {
      this.#asked = false;
      await this.#work();
    }
  }
}
