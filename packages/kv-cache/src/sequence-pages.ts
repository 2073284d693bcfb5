// The pages of one sequence, in order: where each of its tokens lives, and what a change means for the device.
// Pure accounting: a method that needs page contents moved returns the copies, it performs none.

import { DisposedError } from '@limen/tensor';

import { invalidArgument, requireCount } from './argument-checks.js';
import type { PagePool } from './page-pool.js';

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

const unchanged: PageChange = Object.freeze({ added: [], copies: [] });

/**
 * The pages of one sequence.
 *
 * `length` tokens are valid; `capacity ≥ length` tokens have a slot. Only the page holding the next token is ever
 * written. When forks share that page, the first of them to grow gets a copy of its own (copy on write) and the last
 * one keeps the original, so that full pages are never copied. A method that throws has changed nothing.
 */
export class SequencePages implements Disposable {
  readonly pool: PagePool;
  #pages: number[] = [];
  #length = 0;
  #released = false;

  private constructor(pool: PagePool) {
    this.pool = pool;
  }

  /**
   * A new sequence of `tokens` tokens, 0 for an empty one.
   * @throws {CacheFullError} the pool has too few free pages
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

  /** Valid tokens. */
  get length(): number {
    return this.#length;
  }

  /** Tokens that have a slot. */
  get capacity(): number {
    return this.#pages.length * this.pool.pageSize;
  }

  /** Page numbers in token order. */
  get pages(): readonly number[] {
    return this.#pages;
  }

  get released(): boolean {
    return this.#released;
  }

  /**
   * Makes the sequence `count` tokens longer.
   * @returns the pages added and the copies to do before the new tokens are written
   * @throws {CacheFullError} the pool has too few free pages
   * @throws {InvalidArgumentError} `count` is no count
   * @throws {DisposedError} the sequence was released
   */
  append(count: number): PageChange {
    this.#requireLive('SequencePages.append');
    requireCount('SequencePages.append', 'count', count);
    const change = this.#prepare(this.#length + count, 'SequencePages.append');
    this.#length += count;
    return change;
  }

  /**
   * Gives the sequence a private slot for each of its first `tokens` tokens; `append` up to that length then needs
   * no page and no copy, unless the sequence is forked in between.
   * @param tokens - total length to prepare for, in tokens; at most `length` changes nothing
   * @throws {CacheFullError} the pool has too few free pages
   * @throws {InvalidArgumentError} `tokens` is no count
   * @throws {DisposedError} the sequence was released
   */
  reserve(tokens: number): PageChange {
    this.#requireLive('SequencePages.reserve');
    requireCount('SequencePages.reserve', 'tokens', tokens);
    return this.#prepare(tokens, 'SequencePages.reserve');
  }

  /**
   * A second sequence with the same tokens that shares every page holding one. Needs no page, so it cannot fail for
   * want of memory; pages reserved ahead stay with the original.
   * @throws {DisposedError} the sequence was released
   */
  fork(): SequencePages {
    this.#requireLive('SequencePages.fork');
    const child = new SequencePages(this.pool);
    child.#pages = this.#pages.slice(0, this.pool.pagesFor(this.#length));
    child.#length = this.#length;
    for (const page of child.#pages) this.pool.retain(page);
    return child;
  }

  /**
   * Forgets every token from position `length` on and gives back the pages past the last kept token, also reserved ones.
   * @throws {InvalidArgumentError} `length` exceeds the current length
   * @throws {DisposedError} the sequence was released
   */
  truncate(length: number): void {
    this.#requireLive('SequencePages.truncate');
    requireCount('SequencePages.truncate', 'length', length, 0, this.#length);
    for (const page of this.#pages.splice(this.pool.pagesFor(length))) this.pool.release(page);
    this.#length = length;
  }

  /** Gives every page back. Doing it twice is harmless; any other use afterwards throws. */
  release(): void {
    if (this.#released) return;
    this.truncate(0);
    this.#released = true;
  }

  [Symbol.dispose](): void {
    this.release();
  }

  /**
   * Where the token at `position` lives, or will live if the position is reserved.
   * @throws {InvalidArgumentError} the position has no slot
   * @throws {DisposedError} the sequence was released
   */
  slot(position: number): Slot {
    this.#requireLive('SequencePages.slot');
    requireCount('SequencePages.slot', 'position', position);
    const page = this.#pages[Math.floor(position / this.pool.pageSize)];
    if (page === undefined) {
      throw invalidArgument({
        caller: 'SequencePages.slot',
        argument: 'position',
        problem: 'has no slot',
        expected: `a position below the capacity of ${this.capacity} tokens`,
        got: position,
        fix: 'Call reserve() or append() first.',
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
    const mustCopy = from !== undefined && pool.references(from) > 1;
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

  #requireLive(caller: string): void {
    if (this.#released) throw new DisposedError('sequence', `used by ${caller}`);
  }
}
