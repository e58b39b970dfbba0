/** How many sockets a user has at a gateway, as that one tells the others. */
export type Held = readonly [userId: string, count: number];

/** Heartbeats of our own during which a gateway may say nothing: it has died then, or the link to it is cut. */
export const maxSilent = 4;

interface Gateway {
  /** Heartbeats of our own since it was heard. A stall of this process is one, so it takes nobody for dead. */
  silent: number;
  held: Map<string, number>;
}

/** What the gateways told of their sockets, without clock or network. */
export class Elsewhere {
  readonly #gateways = new Map<string, Gateway>();

  /**
   * `anew`: what this gateway told before counts no more.
   * @returns false where it is not known what it told before, so it must be asked
   */
  hear(name: string, held: readonly Held[], anew = false): boolean {
    const known = anew ? undefined : this.#gateways.get(name);
    if (!known && !anew) return false;
    const gateway = known ?? { silent: 0, held: new Map() };
    gateway.silent = 0;
    for (const [userId, count] of held) {
      if (count > 0) gateway.held.set(userId, count);
      else gateway.held.delete(userId);
    }
    this.#gateways.set(name, gateway);
    return true;
  }

  /** It ended. */
  forget(name: string): void {
    this.#gateways.delete(name);
  }

  /** With each heartbeat of our own. */
  beat(): void {
    for (const [name, gateway] of this.#gateways) {
      gateway.silent += 1;
      if (gateway.silent >= maxSilent) this.#gateways.delete(name);
    }
  }

  /** Sockets of a user at all of them. */
  count(userId: string): number {
    let sum = 0;
    for (const { held } of this.#gateways.values()) sum += held.get(userId) ?? 0;
    return sum;
  }
}

/** What was told of our own sockets: the number of each user's, rounded down to a multiple of a step. */
export class TellSteps {
  readonly #told = new Map<string, number>();
  readonly #step: number;

  constructor(step: number) {
    this.#step = step;
  }

  /** What is worth telling of a user with so many sockets here; undefined where that was told. */
  changed(userId: string, count: number): Held | undefined {
    const level = count - (count % this.#step);
    if (level === (this.#told.get(userId) ?? 0)) return undefined;
    if (level > 0) this.#told.set(userId, level);
    else this.#told.delete(userId);
    return [userId, level];
  }

  /** All of it. */
  told(): Held[] {
    return [...this.#told];
  }
}
