// Page numbers in order of use: a doubly linked list that lives in two typed arrays. Every operation is O(1).

/** A list of distinct numbers `0 … size − 1`, the least recently added first. */
export class RecencyList {
  /** Neighbours of each entry; index `size` is the ring's own node, so that no end needs a case of its own. */
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #ring: number;
  #length = 0;

  constructor(size: number) {
    this.#ring = size;
    this.#next = new Int32Array(size + 1).fill(absent);
    this.#previous = new Int32Array(size + 1).fill(absent);
    this.#link(size, size);
  }

  get length(): number {
    return this.#length;
  }

  /** The entry added longest ago. */
  get oldest(): number | undefined {
    return this.#length === 0 ? undefined : this.#next[this.#ring];
  }

  has(entry: number): boolean {
    return entry < this.#ring && (this.#next[entry] ?? absent) !== absent;
  }

  /** Adds an entry that is not in the list, as the most recent one. */
  add(entry: number): void {
    this.#link(this.#previous[this.#ring] as number, entry);
    this.#link(entry, this.#ring);
    this.#length += 1;
  }

  /** Takes out an entry that is in the list. */
  remove(entry: number): void {
    this.#link(this.#previous[entry] as number, this.#next[entry] as number);
    this.#next[entry] = absent;
    this.#length -= 1;
  }

  /** Entries, the least recent first. */
  *[Symbol.iterator](): IterableIterator<number> {
    for (let entry = this.#next[this.#ring] as number; entry !== this.#ring; entry = this.#next[entry] as number) {
      yield entry;
    }
  }

  #link(before: number, after: number): void {
    this.#next[before] = after;
    this.#previous[after] = before;
  }
}

const absent = -1;
