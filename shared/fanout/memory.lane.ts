import { pause } from './adapter/pause.ts';
import { growingPause, stopBound } from './pause.ts';

export type Handler = (text: string) => Promise<void>;

interface Member {
  readonly handle: Handler;
}

/**
 * A queue that its members empty together, one event at a time. A failed event stays first and goes to the next
 * member after a pause. Without members it keeps what comes.
 */
export class Lane {
  readonly #queue: string[] = [];
  readonly #limit: number;
  readonly #warn: (fields: Record<string, unknown>, message: string) => void;
  #members: Member[] = [];
  #working: { member: Member; done: Promise<void> } | undefined;
  #pumping = false;
  #pausing = new AbortController();

  constructor(limit: number, warn: (fields: Record<string, unknown>, message: string) => void) {
    this.#limit = limit;
    this.#warn = warn;
  }

  push(text: string): void {
    // The first may be in the hands of a member: the one behind it is the oldest that waits.
    if (this.#queue.length >= this.#limit) {
      this.#queue.splice(this.#working ? 1 : 0, 1);
      this.#warn({ limit: this.#limit }, 'the oldest waiting event was dropped');
    }
    this.#queue.push(text);
    void this.#pump();
  }

  join(member: Member): void {
    this.#members.push(member);
    void this.#pump();
  }

  /** Resolves when the event this member is at is handled or given back, at most after 10 s. */
  async leave(member: Member): Promise<void> {
    this.#members = this.#members.filter((other) => other !== member);
    if (this.#members.length === 0) this.#pausing.abort();
    if (this.#working?.member !== member) return;
    const bound = new AbortController();
    await Promise.race([this.#working.done, pause(stopBound, bound.signal)]);
    bound.abort();
  }

  async #pump(): Promise<void> {
    if (this.#pumping) return;
    this.#pumping = true;
    // Emitters do not wait for handlers.
    await new Promise(setImmediate);
    for (let attempt = 1; this.#queue.length > 0; ) {
      const member = this.#members.shift();
      if (!member) break;
      this.#members.push(member);
      if (await this.#hand(member, attempt)) attempt = 1;
      else await this.#rest(attempt++);
    }
    this.#pumping = false;
  }

  async #hand(member: Member, attempt: number): Promise<boolean> {
    const [text] = this.#queue as [string];
    const handling = (async () => member.handle(text))();
    this.#working = { member, done: handling.catch(() => {}) };
    try {
      await handling;
      this.#queue.shift();
      return true;
    } catch (error) {
      this.#warn({ attempt, err: error }, 'an event was not handled; it is tried again');
      return false;
    } finally {
      this.#working = undefined;
    }
  }

  async #rest(attempt: number): Promise<void> {
    this.#pausing = new AbortController();
    if (this.#members.length > 0) await pause(growingPause(attempt), this.#pausing.signal);
  }
}
