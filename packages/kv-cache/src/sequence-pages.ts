// The pages of one sequence, in order: where each of its tokens lives, and what a change means for the device.
// Pure accounting: a method that needs page contents moved returns the copies, it performs none.

import { DisposedError } from '@limen/tensor';

import { invalidArgument, requireCount } from './argument-checks.js';
import type { PagePool } from './page-pool.js';
import { noPage } from './page-table.js';
import {
  nothingReleased,
  type ReleasedPages,
  requireWindow,
  shortestAfter,
  unreleasedFrom,
  widenReleased,
  type Window,
} from './window.js';

/** One page whose first `tokens` slots must be copied, in every layer, before the next write. */
export interface PageCopy {
  readonly from: number;
  readonly to: number;
  readonly tokens: number;
}

/** What a sequence gained by growing. */
export interface PageChange {
  /** Pages added at its end. */
  readonly added: readonly number[];
  /** Copies the device must do first, in stream order; they replace a page that others still read. */
  readonly copies: readonly PageCopy[];
}

/** Where a token lives. */
export interface Slot {
  readonly page: number;
  /** Index inside the page, in tokens. */
  readonly offset: number;
}

/** A sequence without its page numbers: what is needed to make another like it on other pages. */
export interface SequenceOutline {
  readonly length: number;
  /** For each page that holds tokens, in order: whether it is there, and not given back by a window. */
  readonly held: readonly boolean[];
  readonly window: ReleasedPages;
}

const unchanged: PageChange = Object.freeze({ added: [], copies: [] });

/**
 * The pages of one sequence.
 *
 * `length` tokens are valid; `capacity ≥ length` positions have a slot. Only the page holding the next token is ever
 * written. When forks share that page, the first of them to grow gets a copy of its own (copy on write) and the last
 * one keeps the original, so that full pages are never copied. A published page is never written either. A method that
 * throws has changed nothing.
 */
export class SequencePages implements Disposable {
  readonly pool: PagePool;
  #pages: number[] = [];
  #length = 0;
  #released = false;
  #window: ReleasedPages = nothingReleased;
  #published = 0;

  private constructor(pool: PagePool) {
    this.pool = pool;
  }

  /**
   * A new sequence of `tokens` tokens, 0 for an empty one.
   * @throws {CacheFullError} the pool has too few free and evictable pages
   * @throws {InvalidArgumentError} `tokens` is no count
   */
  static allocate(pool: PagePool, tokens: number): SequencePages {
    requireCount('SequencePages.allocate', 'tokens', tokens);
    pool.require(pool.pagesFor(tokens), 'SequencePages.allocate');
    const sequence = new SequencePages(pool);
    sequence.#grow(tokens);
    sequence.#length = tokens;
    return sequence;
  }

  /**
   * A new sequence whose beginning is in published pages, all of them full. It shares them, so it needs no page.
   * @param pages - in token order, from `PrefixIndex.find`
   * @throws {InvalidArgumentError} a page is not published
   */
  static continueFrom(pool: PagePool, pages: readonly number[]): SequencePages {
    for (const page of pages) {
      if (pool.isPublished(page)) continue;
      throw invalidArgument({
        caller: 'SequencePages.continueFrom',
        argument: 'pages',
        problem: 'cannot be shared',
        expected: 'published pages',
        got: page,
        fix: 'Pass what PrefixIndex.find returns, before anything else is allocated.',
      });
    }
    const sequence = new SequencePages(pool);
    for (const page of pages) pool.retain(page);
    sequence.#pages = [...pages];
    sequence.#length = pages.length * pool.pageSize;
    sequence.#published = pages.length;
    return sequence;
  }

  /**
   * A new sequence on pages of its own, with the tokens and the given-back pages of an outline.
   * @throws {CacheFullError} the pool has too few free and evictable pages
   */
  static fromOutline(pool: PagePool, { length, held, window }: SequenceOutline, caller: string): SequencePages {
    pool.require(
      held.reduce((count, isHeld) => count + (isHeld ? 1 : 0), 0),
      caller,
    );
    const sequence = new SequencePages(pool);
    sequence.#pages = held.map((isHeld) => (isHeld ? pool.allocate() : noPage));
    sequence.#length = length;
    sequence.#window = window;
    return sequence;
  }

  /** Valid tokens, counted from the first one even where a window has given pages back. */
  get length(): number {
    return this.#length;
  }

  /** Positions that have, or had, a slot. */
  get capacity(): number {
    return this.#pages.length * this.pool.pageSize;
  }

  /** Page numbers in token order; `noPage` (−1) where a window has given a page back. */
  get pages(): readonly number[] {
    return this.#pages;
  }

  get released(): boolean {
    return this.#released;
  }

  /**
   * What is needed to make another sequence like it. Pages reserved ahead are not part of it.
   * @throws {DisposedError} the sequence was released
   */
  outline(): SequenceOutline {
    this.requireLive('SequencePages.outline');
    const pages = this.#pages.slice(0, this.pool.pagesFor(this.#length));
    return { length: this.#length, held: pages.map((page) => page !== noPage), window: this.#window };
  }

  /** Leading pages that a prefix index has dealt with; it moves on from here. */
  get published(): number {
    return this.#published;
  }

  /**
   * For `PrefixIndex`: notes that the first `pages` pages have been dealt with.
   * @throws {InvalidArgumentError} so many pages are not full
   */
  markPublished(pages: number): void {
    const full = Math.floor(this.#length / this.pool.pageSize);
    requireCount('SequencePages.markPublished', 'pages', pages, 0, full);
    this.#published = pages;
  }

  /**
   * Makes the sequence `count` tokens longer.
   * @returns the pages added and the copies to do before the new tokens are written
   * @throws {CacheFullError} the pool has too few free and evictable pages
   * @throws {InvalidArgumentError} `count` is no count
   * @throws {DisposedError} the sequence was released
   */
  append(count: number): PageChange {
    this.requireLive('SequencePages.append');
    requireCount('SequencePages.append', 'count', count);
    const change = this.#prepare(this.#length + count, 'SequencePages.append');
    this.#length += count;
    return change;
  }

  /**
   * Gives the sequence a private slot for each of its first `tokens` tokens; `append` up to that length then needs
   * no page and no copy, unless the sequence is forked in between.
   * @param tokens - total length to prepare for, in tokens; at most `length` changes nothing
   * @throws {CacheFullError} the pool has too few free and evictable pages
   * @throws {InvalidArgumentError} `tokens` is no count
   * @throws {DisposedError} the sequence was released
   */
  reserve(tokens: number): PageChange {
    this.requireLive('SequencePages.reserve');
    requireCount('SequencePages.reserve', 'tokens', tokens);
    return this.#prepare(tokens, 'SequencePages.reserve');
  }

  /**
   * A second sequence with the same tokens that shares every page holding one. Needs no page, so it cannot fail for
   * want of memory; pages reserved ahead stay with the original.
   * @throws {DisposedError} the sequence was released
   */
  fork(): SequencePages {
    this.requireLive('SequencePages.fork');
    const child = new SequencePages(this.pool);
    child.#pages = this.#pages.slice(0, this.pool.pagesFor(this.#length));
    child.#length = this.#length;
    child.#window = this.#window;
    child.#published = this.#published;
    for (const page of child.#pages) if (page !== noPage) this.pool.retain(page);
    return child;
  }

  /**
   * Gives back the whole pages that a sliding window will never read again: those that lie wholly behind the first
   * `sinks` tokens and before the last `window` ones. Their cells in `pages` become `noPage`.
   *
   * The next query sits at position `length` and reads itself and the `window − 1` positions before it. Call this after
   * all queries of the present tokens have been computed, before the next `append`.
   *
   * @param window.window - tokens a query reads, itself included; at least 1
   * @param window.sinks - tokens at the very beginning that every query reads as well; default 0
   * @returns pages given back
   * @throws {InvalidArgumentError} either is out of range
   * @throws {DisposedError} the sequence was released
   */
  releaseOutside(window: Window): number {
    this.requireLive('SequencePages.releaseOutside');
    const { tokens, sinks } = requireWindow(window, 'SequencePages.releaseOutside');
    const { pageSize } = this.pool;
    const first = Math.ceil(sinks / pageSize);
    const end = Math.max(first, Math.floor(Math.max(0, this.#length - tokens) / pageSize));
    let given = 0;
    for (let index = end - 1; index >= unreleasedFrom(this.#window, first); index -= 1) {
      const page = this.#pages[index] ?? noPage;
      if (page === noPage) continue;
      this.pool.release(page);
      this.#pages[index] = noPage;
      given += 1;
    }
    this.#window = widenReleased(this.#window, { first, end, tokens });
    return given;
  }

  /**
   * Forgets every token from position `length` on and gives back the pages past the last kept token, also reserved ones.
   * @throws {InvalidArgumentError} `length` exceeds the current length, or the window of a query at `length` reaches into
   * pages that `releaseOutside` gave back
   * @throws {DisposedError} the sequence was released
   */
  truncate(length: number): void {
    this.requireLive('SequencePages.truncate');
    requireCount('SequencePages.truncate', 'length', length, 0, this.#length);
    this.#requireWindowAt(length);
    this.#cut(length);
  }

  /** Gives every page back. Doing it twice is harmless; any other use afterwards throws. */
  release(): void {
    if (this.#released) return;
    this.#cut(0);
    this.#released = true;
  }

  [Symbol.dispose](): void {
    this.release();
  }

  /**
   * Where the token at `position` lives, or will live if the position is reserved.
   * @throws {InvalidArgumentError} the position has no slot, or its page was given back
   * @throws {DisposedError} the sequence was released
   */
  slot(position: number): Slot {
    this.requireLive('SequencePages.slot');
    requireCount('SequencePages.slot', 'position', position);
    const page = this.#pages[Math.floor(position / this.pool.pageSize)] ?? noPage;
    if (page === noPage) {
      const past = position >= this.capacity;
      throw invalidArgument({
        caller: 'SequencePages.slot',
        argument: 'position',
        problem: 'has no slot',
        expected: past ? `a position below the capacity of ${this.capacity} tokens` : 'a position inside the window',
        got: position,
        fix: past ? 'Call reserve() or append() first.' : 'Its page was given back by releaseOutside().',
      });
    }
    return { page, offset: position % this.pool.pageSize };
  }

  /** Makes positions `[length, target)` writable: the partial last page private, missing pages added. */
  #prepare(target: number, caller: string): PageChange {
    if (target <= this.#length) return unchanged;
    const { pool } = this;
    const index = Math.floor(this.#length / pool.pageSize);
    const from = this.#pages[index];
    const mustCopy = from !== undefined && pool.isReadOnly(from);
    const missing = Math.max(0, pool.pagesFor(target) - this.#pages.length);
    if (missing === 0 && !mustCopy) return unchanged;
    pool.require(missing + (mustCopy ? 1 : 0), caller);
    const copies: PageCopy[] = [];
    if (mustCopy) {
      const to = pool.allocate();
      pool.release(from);
      this.#pages[index] = to;
      copies.push({ from, to, tokens: this.#length % pool.pageSize });
    }
    return { added: this.#grow(target), copies };
  }

  #grow(target: number): number[] {
    const first = this.#pages.length;
    for (let index = first; index < this.pool.pagesFor(target); index += 1) this.#pages.push(this.pool.allocate());
    return this.#pages.slice(first);
  }

  #cut(length: number): void {
    const kept = this.pool.pagesFor(length);
    // From the end: the last page of a prefix is of use to the fewest, so it becomes the first to be evicted.
    for (let index = this.#pages.length - 1; index >= kept; index -= 1) {
      const page = this.#pages.pop() ?? noPage;
      if (page !== noPage) this.pool.release(page);
    }
    this.#length = length;
    this.#published = Math.min(this.#published, Math.floor(length / this.pool.pageSize));
    if (kept <= this.#window.first) this.#window = nothingReleased;
  }

  /** Refuses a length at which the next query would read pages that were given back. */
  #requireWindowAt(length: number): void {
    const shortest = shortestAfter(this.#window, this.pool.pageSize);
    const untouched = this.#window.first * this.pool.pageSize;
    if (length <= untouched || length >= shortest) return;
    throw invalidArgument({
      caller: 'SequencePages.truncate',
      argument: 'length',
      problem: 'reaches into pages that were given back',
      expected: `at least ${shortest}, or at most ${untouched}`,
      got: length,
      fix: 'Give back fewer pages: call releaseOutside() with a larger window where tokens may be taken back.',
    });
  }

  /**
   * For an index or a swap that works on the pages.
   * @throws {DisposedError} the sequence was released
   */
  requireLive(caller: string): void {
    if (this.#released) throw new DisposedError('sequence', `used by ${caller}`);
  }
}
