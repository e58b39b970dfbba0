/** Who can be listed: `key` is the user name in lower case, which search ignores too. */
export interface Entry {
  readonly id: string;
  readonly key: string;
}

const maxBlock = 512;

const isBefore = (a: Entry, b: Entry): boolean => a.key < b.key || (a.key === b.key && a.id < b.id);

/**
 * Entries in order of their keys, then of their ids, in blocks of at most 512: to put one in or take one out costs a
 * search and a short move, a page costs what is on it, however many entries there are.
 */
export class Directory<T extends Entry> {
  readonly #blocks: T[][] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(entry: T): void {
    const at = this.#place((other) => isBefore(other, entry));
    const block = this.#blocks[at.block] ?? this.#blocks.at(-1);
    this.#size += 1;
    if (!block) {
      this.#blocks.push([entry]);
      return;
    }
    const index = this.#blocks[at.block] ? at.index : block.length;
    block.splice(index, 0, entry);
    if (block.length > maxBlock) this.#split(this.#blocks.indexOf(block));
  }

  /** False where it is not there. */
  remove(entry: T): boolean {
    const { block: number, index } = this.#place((other) => isBefore(other, entry));
    const block = this.#blocks[number];
    if (block?.[index] !== entry) return false;
    block.splice(index, 1);
    if (block.length === 0) this.#blocks.splice(number, 1);
    this.#size -= 1;
    return true;
  }

  /** Those whose key begins with the prefix, `take` of them after `skip`, and how many there are. */
  page(query: { prefix: string; descending: boolean; skip: number; take: number }): { items: T[]; total: number } {
    const { prefix, descending, skip, take } = query;
    const start = this.#rank(({ key }) => key < prefix);
    const end = prefix === '' ? this.#size : this.#rank(({ key }) => key < prefix || key.startsWith(prefix));
    const total = end - start;
    const first = descending ? Math.max(start, end - skip - take) : start + skip;
    const last = descending ? end - skip : Math.min(end, first + take);
    const items = this.#slice(first, last);
    return { items: descending ? items.reverse() : items, total };
  }

  #slice(from: number, to: number): T[] {
    const items: T[] = [];
    let offset = 0;
    for (const block of this.#blocks) {
      if (offset >= to) break;
      const end = offset + block.length;
      if (end > from) items.push(...block.slice(Math.max(0, from - offset), to - offset));
      offset = end;
    }
    return items;
  }

  /** How many entries the test holds for; it holds for none after one it does not hold for. */
  #rank(holds: (entry: T) => boolean): number {
    const { block, index } = this.#place(holds);
    let rank = index;
    for (let at = 0; at < block; at += 1) rank += this.#blocks[at]?.length ?? 0;
    return rank;
  }

  /** Of the first entry the test does not hold for. */
  #place(holds: (entry: T) => boolean): { block: number; index: number } {
    const block = firstFailing(this.#blocks.length, (at) => holds(this.#blocks[at]?.at(-1) as T));
    const entries = this.#blocks[block] ?? [];
    return { block, index: firstFailing(entries.length, (at) => holds(entries[at] as T)) };
  }

  #split(at: number): void {
    const block = this.#blocks[at] as T[];
    this.#blocks.splice(at + 1, 0, block.splice(block.length >> 1));
  }
}

/** Binary search for the first index of 0 … length - 1 that the test fails for; length where there is none. */
function firstFailing(length: number, holds: (index: number) => boolean): number {
  let [low, high] = [0, length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}
