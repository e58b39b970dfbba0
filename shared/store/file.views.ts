import { comparator, type Order } from './list.rules.ts';
import type { StoredDocument } from './record.rules.ts';

type Compare = (a: StoredDocument, b: StoredDocument) => number;
interface View {
  compare: Compare;
  documents: StoredDocument[];
}

/** Clients choose orders; the least recently used view goes. */
const MAX_VIEWS = 16;

/** A collection's documents in the orders lists asked for, kept in order with each change instead of sorted again. */
export class SortedViews {
  readonly #views = new Map<string, View>();
  readonly #all: () => StoredDocument[];

  constructor(all: () => StoredDocument[]) {
    this.#all = all;
  }

  /** Every document in this order. The array is the view itself: read it before the next await, never change it. */
  sorted(order: Order): readonly StoredDocument[] {
    const name = JSON.stringify(order);
    const view = this.#views.get(name) ?? this.#make(order);
    this.#views.delete(name);
    this.#views.set(name, view);
    const oldest = this.#views.keys().next();
    if (this.#views.size > MAX_VIEWS && !oldest.done) this.#views.delete(oldest.value);
    return view.documents;
  }

  /** `before` left the collection (null: none did), `after` came. */
  replace(before: StoredDocument | null, after: StoredDocument | null): void {
    for (const { compare, documents } of this.#views.values()) {
      if (before) {
        const at = position(documents, before, compare);
        if (documents[at]?._id === before._id) documents.splice(at, 1);
      }
      if (after) documents.splice(position(documents, after, compare), 0, after);
    }
  }

  clear(): void {
    this.#views.clear();
  }

  #make(order: Order): View {
    const compare = comparator(order);
    return { compare, documents: [...this.#all()].sort(compare) };
  }
}

/** The first place whose document does not come before this one. */
function position(documents: readonly StoredDocument[], document: StoredDocument, compare: Compare): number {
  let low = 0;
  let high = documents.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compare(documents[middle] as StoredDocument, document) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
