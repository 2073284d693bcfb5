// Who holds which page: a fixed number of pages, a count of references for each, and an order in which pages that nobody
// holds but that may be found again are given up. Pure accounting: it knows neither tensors nor devices.

import { invalidArgument, requireCount } from './argument-checks.js';
import { CacheFullError } from './errors/cache-full-error.js';
import { PageReferenceError } from './errors/page-reference-error.js';
import { RecencyList } from './recency-list.js';

/** Default page size, in tokens. */
export const defaultPageSize = 16;

/** Page counts of a pool at one moment. `free + used + cached = total` always holds. */
export interface PagePoolStatistics {
  readonly total: number;
  /** Pages with nothing worth keeping. */
  readonly free: number;
  /** Pages that at least one sequence holds. */
  readonly used: number;
  /** Pages that no sequence holds, kept because they can be found again. */
  readonly cached: number;
  /** Used pages that more than one sequence holds. */
  readonly shared: number;
  /** Used or cached pages that are pinned. */
  readonly pinned: number;
}

/** What a page is at one moment. */
export type PageState = 'free' | 'used' | 'cached';

/**
 * A fixed set of pages `0 … total − 1`, handed out one by one and counted by reference.
 *
 * A page is _free_, _used_ (somebody holds a reference) or _cached_ (nobody does, but it was published and can be found
 * again). A cached page is given up, the least recently used one first, when no page is free; a pinned one never is.
 *
 * Every operation on one page is O(1). The page released last is handed out first, so that a lightly used pool
 * keeps touching the same few pages.
 *
 * @param options.pages - number of pages; at least 1
 * @param options.pageSize - tokens a page holds; default 16
 * @throws {InvalidArgumentError} either is not a positive whole number
 */
export class PagePool {
  readonly total: number;
  readonly pageSize: number;
  readonly #references: Uint32Array;
  readonly #pins: Uint32Array;
  /** 1 for a page that was published; it must not be written, and is kept when its last reference goes. */
  readonly #published: Uint8Array;
  /** A stack: its first `#free` entries are the free pages. */
  readonly #freeList: Uint32Array;
  /** Cached pages that are not pinned, the least recently used first. */
  readonly #evictable: RecencyList;
  #free: number;
  #cached = 0;
  #shared = 0;
  #pinned = 0;
  #onEvict: ((page: number) => void) | undefined;

  constructor({ pages, pageSize = defaultPageSize }: { readonly pages: number; readonly pageSize?: number }) {
    requireCount('PagePool', 'pages', pages, 1, 2 ** 31 - 1);
    requireCount('PagePool', 'pageSize', pageSize, 1);
    this.total = pages;
    this.pageSize = pageSize;
    this.#references = new Uint32Array(pages);
    this.#pins = new Uint32Array(pages);
    this.#published = new Uint8Array(pages);
    // Lowest number on top: a fresh pool hands out 0, 1, 2, … and a page table is easy to read.
    this.#freeList = Uint32Array.from({ length: pages }, (_, index) => pages - 1 - index);
    this.#evictable = new RecencyList(pages);
    this.#free = pages;
  }

  /** Pages with nothing worth keeping. */
  get free(): number {
    return this.#free;
  }

  /** Pages at least one sequence holds. */
  get used(): number {
    return this.total - this.#free - this.#cached;
  }

  /** Pages nobody holds that can be found again. */
  get cached(): number {
    return this.#cached;
  }

  /** Cached pages that are not pinned: those the pool gives up when no page is free. */
  get evictable(): number {
    return this.#evictable.length;
  }

  /** Pages that can be allocated now: free ones, then evictable ones. */
  get available(): number {
    return this.#free + this.#evictable.length;
  }

  /** Pages that `tokens` tokens occupy, the last one perhaps in part. */
  pagesFor(tokens: number): number {
    return Math.ceil(tokens / this.pageSize);
  }

  /**
   * Checks that `need` pages can be allocated, so that a caller can fail before it changes anything.
   * @throws {CacheFullError} fewer pages are free or evictable
   */
  require(need: number, caller: string): void {
    if (need <= this.available) return;
    throw new CacheFullError(caller, { need, have: this.#free, evictable: this.evictable });
  }

  /**
   * Takes a page, a free one or else the least recently used of the evictable ones; the caller holds its one reference.
   * @throws {CacheFullError} no page is free or evictable
   */
  allocate(): number {
    if (this.#free === 0) this.#evict();
    this.#free -= 1;
    const page = this.#freeList[this.#free] ?? 0;
    this.#references[page] = 1;
    return page;
  }

  /**
   * Adds a reference to a page that is used or cached.
   * @throws {PageReferenceError} the page is free
   */
  retain(page: number): void {
    const count = this.references(page) + 1;
    if (count === 1 && !this.isPublished(page)) {
      throw this.#wrongState('PagePool.retain', page, 'a page that is used or cached');
    }
    this.#references[page] = count;
    if (count === 2) this.#shared += 1;
    if (count > 1) return;
    this.#cached -= 1;
    if (this.#evictable.has(page)) this.#evictable.remove(page);
  }

  /**
   * Drops a reference. With the last one, a published page becomes cached, as the most recently used; any other, free.
   * @returns whether that was the last reference
   * @throws {PageReferenceError} nobody holds the page
   */
  release(page: number): boolean {
    const count = this.references(page) - 1;
    if (count < 0) throw this.#wrongState('PagePool.release', page, 'a page that somebody holds');
    this.#references[page] = count;
    if (count === 1) this.#shared -= 1;
    if (count > 0) return false;
    if (this.#published[page] === 1) {
      this.#cached += 1;
      if (this.#pins[page] === 0) this.#evictable.add(page);
    } else {
      this.#putFree(page);
    }
    return true;
  }

  /**
   * Says that a page is complete and can be found: from now on it must not be written, and it stays when its last
   * reference goes. Doing it twice is harmless.
   * @throws {PageReferenceError} nobody holds the page
   */
  publish(page: number): void {
    if (this.references(page) === 0) throw this.#wrongState('PagePool.publish', page, 'a page that somebody holds');
    this.#published[page] = 1;
  }

  /**
   * Takes that back. A cached page becomes free; a pinned one stays as it is.
   * @returns whether the page is unpublished now
   */
  retract(page: number): boolean {
    if (!this.isPublished(page)) return true;
    if (this.isPinned(page)) return false;
    this.#published[page] = 0;
    if (this.#evictable.has(page)) this.#dropCached(page);
    return true;
  }

  /** Whether a page can be found, so that it must be copied before it is written. */
  isPublished(page: number): boolean {
    return this.#published[page] === 1;
  }

  /** Whether a page must be copied before it is written: somebody else holds it, or it can be found. */
  isReadOnly(page: number): boolean {
    return this.references(page) > 1 || this.isPublished(page);
  }

  /**
   * Keeps a published page from being evicted, until `unpin` was called as often.
   * @throws {PageReferenceError} the page is not published
   */
  pin(page: number): void {
    if (!this.isPublished(page)) throw this.#wrongState('PagePool.pin', page, 'a published page');
    const count = (this.#pins[page] ?? 0) + 1;
    this.#pins[page] = count;
    if (count > 1) return;
    this.#pinned += 1;
    if (this.#evictable.has(page)) this.#evictable.remove(page);
  }

  /**
   * Takes one pin away. With the last one, a cached page becomes evictable, as the most recently used.
   * @throws {PageReferenceError} the page is not pinned
   */
  unpin(page: number): void {
    const count = (this.#pins[page] ?? 0) - 1;
    if (count < 0) throw this.#wrongState('PagePool.unpin', page, 'a pinned page');
    this.#pins[page] = count;
    if (count > 0) return;
    this.#pinned -= 1;
    if (this.#references[page] === 0) this.#evictable.add(page);
  }

  isPinned(page: number): boolean {
    return (this.#pins[page] ?? 0) > 0;
  }

  /** References to a page; 0 for a page nobody holds and for a number that is no page. */
  references(page: number): number {
    return this.#references[page] ?? 0;
  }

  /** What a page is; `undefined` for a number that is no page. */
  state(page: number): PageState | undefined {
    const count = this.#references[page];
    if (count === undefined) return undefined;
    if (count > 0) return 'used';
    return this.isPublished(page) ? 'cached' : 'free';
  }

  /** The evictable pages in the order in which they would be given up. */
  evictionOrder(): readonly number[] {
    return [...this.#evictable];
  }

  /**
   * Names the one who is told of each page that is given up, at once and before the page is handed out.
   * @throws {InvalidArgumentError} somebody else is told already
   */
  onEvict(listener: (page: number) => void): void {
    if (this.#onEvict !== undefined) {
      throw invalidArgument({
        caller: 'PagePool.onEvict',
        argument: 'listener',
        problem: 'is one too many',
        expected: 'one prefix index for each pool',
        got: 'a second one',
        fix: 'Share the index, or make a pool of its own for each.',
      });
    }
    this.#onEvict = listener;
  }

  statistics(): PagePoolStatistics {
    const { total, free, used, cached } = this;
    return { total, free, used, cached, shared: this.#shared, pinned: this.#pinned };
  }

  /** Frees the least recently used of the evictable pages. */
  #evict(): void {
    const page = this.#evictable.oldest;
    if (page === undefined) throw new CacheFullError('PagePool.allocate', { need: 1, have: 0, evictable: 0 });
    this.#published[page] = 0;
    this.#dropCached(page);
    this.#onEvict?.(page);
  }

  #dropCached(page: number): void {
    this.#evictable.remove(page);
    this.#cached -= 1;
    this.#putFree(page);
  }

  #putFree(page: number): void {
    this.#freeList[this.#free] = page;
    this.#free += 1;
  }

  #wrongState(caller: string, page: number, expected: string): PageReferenceError {
    return new PageReferenceError(caller, { page, expected, state: this.state(page), pages: this.total });
  }
}
