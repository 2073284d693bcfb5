// A sequence of a PagedCache: the accounting of SequencePages, with the page copies done on the device at once.

import type { PrefixChain } from './prefix-chain.js';
import type { PageChange, PageCopy, SequenceOutline, SequencePages, Slot } from './sequence-pages.js';
import type { Window } from './window.js';

/** What a sequence asks of the cache that its pages belong to. */
export interface PageKeeper {
  /** Enqueues the copies, in order with the ops before and after. */
  copyPages(copies: readonly PageCopy[]): void;
  /** Makes the full pages of a sequence findable; returns how many were not before. */
  publish(sequence: SequencePages, prefix: PrefixChain): number;
  /** Counts a sequence as live. */
  admit(sequence: CacheSequence): void;
  /** Ends that. */
  dismiss(sequence: CacheSequence): void;
}

/**
 * The keys and values of one sequence, across all layers. Made by `PagedCache.allocateSequence` or `openSequence`; end it
 * with `using` or `release()`. Its methods act in order with ops; call them between steps, not while one is being captured.
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

  /** Page numbers in token order; `noPage` (−1) where a window has given a page back. */
  get pages(): readonly number[] {
    return this.#accounting.pages;
  }

  get released(): boolean {
    return this.#accounting.released;
  }

  /**
   * What is needed to make another sequence like it on other pages; for swaps and files.
   * @throws {DisposedError} the sequence was released
   */
  outline(): SequenceOutline {
    return this.#accounting.outline();
  }

  /**
   * Makes room for `count` more tokens and counts them as valid; write them with `PagedCache.append`.
   * @returns pages added, and copies that were made because a fork shares the last page
   * @throws {CacheFullError} the pool has too few free and evictable pages; nothing has changed
   * @throws {InvalidArgumentError} `count` is no count
   * @throws {DisposedError} the sequence was released
   */
  append(count: number): PageChange {
    return this.#perform(this.#accounting.append(count));
  }

  /**
   * Gives each of the first `tokens` positions a private slot, so that `append` up to there needs nothing.
   * @param tokens - total length to prepare for
   * @throws {CacheFullError} the pool has too few free and evictable pages; nothing has changed
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
   * Forgets every token from position `length` on. Truncate the prefix that the sequence is published with as well.
   * @throws {InvalidArgumentError} `length` exceeds the current length, or a query there would read pages that
   * `releaseOutside` gave back
   * @throws {DisposedError} the sequence was released
   */
  truncate(length: number): void {
    this.#accounting.truncate(length);
  }

  /**
   * Lets later sequences with the same beginning share the full pages of this one. Call it when the keys and values of
   * its tokens have been appended in every layer.
   * @param prefix - the tokens of this sequence, from `PagedCache.prefix`; the salt says who may share
   * @returns pages that can be found now and could not before
   * @throws {InvalidArgumentError} the prefix has another page size
   * @throws {DisposedError} the sequence was released
   */
  publish(prefix: PrefixChain): number {
    return this.#keeper.publish(this.#accounting, prefix);
  }

  /**
   * Gives back the whole pages that a sliding window will never read again. Call it when all queries of the present
   * tokens have been enqueued, before the next `append`; give attention the same window.
   * @returns pages given back
   * @throws {InvalidArgumentError} window or sinks are out of range
   * @throws {DisposedError} the sequence was released
   */
  releaseOutside(window: Window): number {
    return this.#accounting.releaseOutside(window);
  }

  /**
   * Where the token at `position` lives.
   * @throws {InvalidArgumentError} the position has no slot, or its page was given back
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
