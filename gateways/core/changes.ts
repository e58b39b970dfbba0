import { LRUCache } from 'lru-cache';

const maxRemembered = 50_000;

/** Which users, keys or rooms changed lately, so that what was asked before a change is not believed after it. */
export class Changes {
  readonly #at = new LRUCache<string, number>({ max: maxRemembered });
  #count = 0;
  #allAt = 0;

  /** Now, for `since`. */
  mark(): number {
    return this.#count;
  }

  note(id: string): void {
    this.#count += 1;
    this.#at.set(id, this.#count);
  }

  /** Any of them may have changed. */
  noteAll(): void {
    this.#count += 1;
    this.#allAt = this.#count;
  }

  since(mark: number, id: string): boolean {
    return this.#allAt > mark || (this.#at.get(id) ?? 0) > mark;
  }
}
