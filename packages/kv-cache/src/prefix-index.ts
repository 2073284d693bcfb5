// Finds pages by what they hold: the name of a page's beginning, from PrefixChain, to its number. Pure accounting.

import { invalidArgument } from './argument-checks.js';
import type { PagePool } from './page-pool.js';
import { noPage } from './page-table.js';
import type { PrefixChain } from './prefix-chain.js';
import { PrefixPin } from './prefix-pin.js';
import { SequencePages } from './sequence-pages.js';

/** How well the index served so far. Counts go up from its creation. */
export interface PrefixStatistics {
  /** Pages that can be found now. */
  readonly pages: number;
  /** Sequences opened. */
  readonly lookups: number;
  /** Lookups that found at least one page. */
  readonly hits: number;
  /** Tokens of the sequences opened, and how many of them were found. */
  readonly tokens: number;
  readonly tokensReused: number;
  /** Share of the tokens that was found, in [0, 1]; 0 before the first lookup. */
  readonly hitRate: number;
  /** Cached pages given up because no page was free. */
  readonly evictions: number;
}

/** How much of a beginning may be taken from the index. */
export interface FindOptions {
  /**
   * Leaves at least one token to be computed, because its logits say how the sequence goes on; default true. With false
   * a sequence may be found whole.
   */
  readonly leaveLast?: boolean;
}

/**
 * Which pages of a pool hold which beginning.
 *
 * Publish a sequence's full pages once their keys and values have been enqueued; later sequences with the same beginning
 * open with these pages shared and compute only the rest. When the last sequence that holds a page is released, the page
 * stays, until the pool needs it for something else.
 */
export class PrefixIndex {
  readonly pool: PagePool;
  readonly #pageOf = new Map<string, number>();
  readonly #keyOf: (string | undefined)[];
  #lookups = 0;
  #hits = 0;
  #tokens = 0;
  #tokensReused = 0;
  #evictions = 0;

  /** @throws {InvalidArgumentError} the pool has an index already */
  constructor(pool: PagePool) {
    this.pool = pool;
    this.#keyOf = new Array<string | undefined>(pool.total);
    pool.onEvict((page) => {
      this.#evictions += 1;
      this.#forget(page);
    });
  }

  /** Pages that can be found. */
  get size(): number {
    return this.#pageOf.size;
  }

  /**
   * The longest run of full pages, from the first on, that hold the beginning of `prefix`. Takes nothing and counts
   * nothing: a scheduler may ask what a request would cost.
   * @returns page numbers in token order; they are valid until something is allocated
   * @throws {InvalidArgumentError} the prefix has another page size
   */
  find(prefix: PrefixChain, { leaveLast = true }: FindOptions = {}): readonly number[] {
    this.#requirePageSize(prefix, 'PrefixIndex.find');
    const most = leaveLast ? Math.floor((prefix.length - 1) / this.pool.pageSize) : prefix.keys.length;
    const pages: number[] = [];
    for (let index = 0; index < most; index += 1) {
      const page = this.#pageOf.get(prefix.keys[index] as string);
      if (page === undefined) break;
      pages.push(page);
    }
    return pages;
  }

  /**
   * A new sequence that shares the pages found for the beginning of `prefix`. Its length is the number of tokens they
   * hold; the caller appends and computes the rest. It takes no page, so it cannot fail for want of memory.
   * @throws {InvalidArgumentError} the prefix has another page size
   */
  open(prefix: PrefixChain, options: FindOptions = {}): SequencePages {
    const sequence = SequencePages.continueFrom(this.pool, this.find(prefix, options));
    this.#lookups += 1;
    this.#hits += sequence.length > 0 ? 1 : 0;
    this.#tokens += prefix.length;
    this.#tokensReused += sequence.length;
    return sequence;
  }

  /**
   * Makes the full pages of a sequence findable. A page whose beginning is known already is left out; so is a page that
   * a window has given back.
   *
   * @param sequence - its tokens so far are written, or enqueued to be
   * @param prefix - the tokens of the sequence; pages that only one of the two has are left out
   * @returns pages that can be found now and could not before
   * @throws {InvalidArgumentError} the prefix has another page size, or the sequence another pool
   * @throws {DisposedError} the sequence was released
   */
  publish(sequence: SequencePages, prefix: PrefixChain): number {
    const caller = 'PrefixIndex.publish';
    this.#requirePageSize(prefix, caller);
    this.#requirePool(sequence, caller);
    sequence.requireLive(caller);
    const full = Math.min(Math.floor(sequence.length / this.pool.pageSize), prefix.keys.length);
    let added = 0;
    for (let index = sequence.published; index < full; index += 1) {
      const page = sequence.pages[index] ?? noPage;
      const key = prefix.keys[index] as string;
      if (page === noPage || this.#pageOf.has(key) || this.#keyOf[page] !== undefined) continue;
      this.pool.publish(page);
      this.#pageOf.set(key, page);
      this.#keyOf[page] = key;
      added += 1;
    }
    if (full > sequence.published) sequence.markPublished(full);
    return added;
  }

  /**
   * Keeps the pages found for the beginning of `prefix` from being evicted, for example those of a system prompt.
   * @returns the caller releases it, with `using` or `release()`; it may hold no page at all
   * @throws {InvalidArgumentError} the prefix has another page size
   */
  pin(prefix: PrefixChain): PrefixPin {
    return new PrefixPin(this.pool, this.find(prefix, { leaveLast: false }));
  }

  /**
   * Forgets every page that is not pinned, for example after the model's weights have changed. Pages that sequences hold
   * stay theirs.
   * @returns pages forgotten
   */
  clear(): number {
    let forgotten = 0;
    for (const page of [...this.#pageOf.values()]) {
      if (!this.pool.retract(page)) continue;
      this.#forget(page);
      forgotten += 1;
    }
    return forgotten;
  }

  statistics(): PrefixStatistics {
    return {
      pages: this.size,
      lookups: this.#lookups,
      hits: this.#hits,
      tokens: this.#tokens,
      tokensReused: this.#tokensReused,
      hitRate: this.#tokens === 0 ? 0 : this.#tokensReused / this.#tokens,
      evictions: this.#evictions,
    };
  }

  #forget(page: number): void {
    const key = this.#keyOf[page];
    if (key !== undefined) this.#pageOf.delete(key);
    this.#keyOf[page] = undefined;
  }

  #requirePageSize(prefix: PrefixChain, caller: string): void {
    if (prefix.pageSize === this.pool.pageSize) return;
    throw invalidArgument({
      caller,
      argument: 'prefix',
      problem: 'has another page size',
      expected: `pages of ${this.pool.pageSize} tokens`,
      got: prefix.pageSize,
      fix: 'Make the prefix with the page size of the pool.',
    });
  }

  #requirePool(sequence: SequencePages, caller: string): void {
    if (sequence.pool === this.pool) return;
    throw invalidArgument({
      caller,
      argument: 'sequence',
      problem: 'belongs to another pool',
      expected: 'a sequence of the pool of this index',
      got: `one of a pool of ${sequence.pool.total} pages`,
      fix: 'Publish it in the index of its own pool.',
    });
  }
}
