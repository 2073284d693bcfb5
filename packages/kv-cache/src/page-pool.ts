// Who holds which page: a fixed number of pages, a free list and one reference count for each page.
// Pure accounting. It knows neither tensors nor devices; PagedCache puts memory behind the numbers.

import { requireCount } from './argument-checks.js';
import { CacheFullError } from './errors/cache-full-error.js';
import { PageReferenceError } from './errors/page-reference-error.js';

/** Default page size, in tokens. */
export const defaultPageSize = 16;

/** Page counts of a pool at one moment. `free + used = total` always holds. */
export interface PagePoolStatistics {
  readonly total: number;
  readonly free: number;
  /** Pages that at least one sequence holds. */
  readonly used: number;
  /** Used pages that more than one sequence holds. */
  readonly shared: number;
}

/**
 * A fixed set of pages `0 … total − 1`, handed out one by one and counted by reference.
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
  /** A stack: its first `#free` entries are the free pages. */
  readonly #freeList: Uint32Array;
  #free: number;
  #shared = 0;

  constructor({ pages, pageSize = defaultPageSize }: { readonly pages: number; readonly pageSize?: number }) {
    requireCount('PagePool', 'pages', pages, 1, 2 ** 31 - 1);
    requireCount('PagePool', 'pageSize', pageSize, 1);
    this.total = pages;
    this.pageSize = pageSize;
    this.#references = new Uint32Array(pages);
    // Lowest number on top: a fresh pool hands out 0, 1, 2, … and a page table is easy to read.
    this.#freeList = Uint32Array.from({ length: pages }, (_, index) => pages - 1 - index);
    this.#free = pages;
  }

  /** Pages nobody holds. */
  get free(): number {
    return this.#free;
  }

  /** Pages at least one sequence holds. */
  get used(): number {
    return this.total - this.#free;
  }

  /** Pages in use that no live sequence needs. None yet: a page returns to the free list with its last reference. */
  get evictable(): number {
    return 0;
  }

  /** Pages that `tokens` tokens occupy, the last one perhaps in part. */
  pagesFor(tokens: number): number {
    return Math.ceil(tokens / this.pageSize);
  }

  /**
   * Checks that `need` pages are free, so that a caller can fail before it changes anything.
   * @throws {CacheFullError} fewer pages are free
   */
  require(need: number, caller: string): void {
    if (need > this.#free) throw new CacheFullError(caller, { need, have: this.#free, evictable: this.evictable });
  }

  /**
   * Takes a free page; the caller holds its one reference.
   * @throws {CacheFullError} no page is free
   */
  allocate(): number {
    this.require(1, 'PagePool.allocate');
    this.#free -= 1;
    const page = this.#freeList[this.#free] ?? 0;
    this.#references[page] = 1;
    return page;
  }

  /**
   * Adds a reference to a page in use.
   * @throws {PageReferenceError} nobody holds the page
   */
  retain(page: number): void {
    const count = this.#countOf(page, 'PagePool.retain') + 1;
    this.#references[page] = count;
    if (count === 2) this.#shared += 1;
  }

  /**
   * Drops a reference. The last one returns the page to the free list.
   * @returns whether the page is free now
   * @throws {PageReferenceError} nobody holds the page
   */
  release(page: number): boolean {
    const count = this.#countOf(page, 'PagePool.release') - 1;
    this.#references[page] = count;
    if (count === 1) this.#shared -= 1;
    if (count > 0) return false;
    this.#freeList[this.#free] = page;
    this.#free += 1;
    return true;
  }

  /** References to a page; 0 for a free page and for a number that is no page. */
  references(page: number): number {
    return this.#references[page] ?? 0;
  }

  statistics(): PagePoolStatistics {
    return { total: this.total, free: this.#free, used: this.used, shared: this.#shared };
  }

  #countOf(page: number, caller: string): number {
    const count = this.references(page);
    if (count === 0) throw new PageReferenceError(caller, page, this.total);
    return count;
  }
}
