import type { Bus } from './bus.ts';

/** Longer than a link can be half open, or a command run, before the sender sees that nobody heard. */
const repeatedMs = 60_000;
const maxKept = 10_000;

/** Notices that must not be lost with the sender's link: after a gap the newest ones are sent again. */
export class RepeatedNotices {
  readonly #bus: Bus;
  readonly #topic: string;
  #sent: { data: unknown; at: number }[] = [];

  constructor(bus: Bus, topic: string) {
    this.#bus = bus;
    this.#topic = topic;
    bus.onGap(() => this.#repeat());
  }

  notify(data: unknown): void {
    this.#sent.push({ data, at: performance.now() });
    if (this.#sent.length > maxKept) this.#forget();
    this.#bus.notify(this.#topic, data);
  }

  #repeat(): void {
    this.#forget();
    for (const { data } of this.#sent) this.#bus.notify(this.#topic, data);
  }

  #forget(): void {
    const since = performance.now() - repeatedMs;
    this.#sent = this.#sent.filter(({ at }) => at > since).slice(-maxKept / 2);
  }
}
