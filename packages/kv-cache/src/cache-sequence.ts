// A sequence of a PagedCache: the accounting of SequencePages, with the page copies done on the device at once.

import type { PageChange, PageCopy, SequencePages, Slot } from './sequence-pages.js';

/** What a sequence asks of the cache that its pages belong to. */
export interface PageKeeper {
  /** Enqueues the copies, in order with the ops before and after. */
  copyPages(copies: readonly PageCopy[]): void;
  /** Counts a sequence as live. */
  admit(sequence: CacheSequence): void;
  /** Ends that. */
  dismiss(sequence: CacheSequence): void;
}

/**
 * The keys and values of one sequence, across all layers. Made by `PagedCache.allocateSequence`; end it with `using` or
 * `release()`. Its methods act in order with ops; call them between steps, not while one is being captured.
 */
export class CacheSequence implements Disposable {
  readonly #keeper: PageKeeper;
  readonly #accounting: SequencePages;

  /** For PagedCache. Takes over `accounting`. */
  constructor(keeper: PageKeeper, accounting: SequencePages) {
    this.#keeper = keeper;
    this.#accounting = accounting;
    keeper.admit(this);
  }

  /** Valid tokens. */
  get length(): number {
    return this.#accounting.length;
  }

  /** Tokens that have a slot. */
  get capacity(): number {
    return this.#accounting.capacity;
  }

  /** Page numbers in token order. */
  get pages(): readonly number[] {
    return this.#accounting.pages;
  }

  get released(): boolean {
    return this.#accounting.released;
  }

  /**
   * Makes room for `count` more tokens and counts them as valid; write them with `PagedCache.append`.
   * @returns pages added, and copies that were made because a fork shares the last page
   * @throws {CacheFullError} the pool has too few free pages; nothing has changed
   * @throws {InvalidArgumentError} `count` is no count
   * @throws {DisposedError} the sequence was released
   */
  append(count: number): PageChange {
    return this.#perform(this.#accounting.append(count));
  }

  /**
   * Gives each of the first `tokens` positions a private slot, so that `append` up to there needs nothing.
   * @param tokens - total length to prepare for
   * @throws {CacheFullError} the pool has too few free pages; nothing has changed
   * @throws {InvalidArgumentError} `tokens` is no count
   * @throws {DisposedError} the sequence was released
   */
  reserve(tokens: number): PageChange {
    return this.#perform(this.#accounting.reserve(tokens));
  }

  /**
   * A second sequence with the same tokens, which shares this one's pages until either grows.
   * @throws {DisposedError} the sequence was released
   */
  fork(): CacheSequence {
    return new CacheSequence(this.#keeper, this.#accounting.fork());
  }

  /**
   * Forgets every token from position `length` on.
   * @throws {InvalidArgumentError} `length` exceeds the current length
   * @throws {DisposedError} the sequence was released
   */
  truncate(length: number): void {
    this.#accounting.truncate(length);
  }

  /**
   * Where the token at `position` lives.
   * @throws {InvalidArgumentError} the position has no slot
   * @throws {DisposedError} the sequence was released
   */
  slot(position: number): Slot {
    return this.#accounting.slot(position);
  }

  /** Gives every page back. Doing it twice is harmless. */
  release(): void {
    this.#accounting.release();
    this.#keeper.dismiss(this);
  }

  [Symbol.dispose](): void {
    this.release();
  }

  #perform(change: PageChange): PageChange {
    if (change.copies.length > 0) this.#keeper.copyPages(change.copies);
    return change;
  }
}
