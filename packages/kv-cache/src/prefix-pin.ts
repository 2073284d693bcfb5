// A hold on cached pages that lasts until it is released. Pure accounting.

import type { PagePool } from './page-pool.js';

/** Pages that are not evicted while this lives. Made by `PrefixIndex.pin`; several pins may hold the same page. */
export class PrefixPin implements Disposable {
  /** Page numbers in token order. */
  readonly pages: readonly number[];
  readonly #pool: PagePool;
  #released = false;

  /**
   * @param pages - published pages, as `PrefixIndex.find` returns them
   * @throws {PageReferenceError} a page is not published
   */
  constructor(pool: PagePool, pages: readonly number[]) {
    this.#pool = pool;
    this.pages = pages;
    for (const page of pages) pool.pin(page);
  }

  /** Tokens the pages hold. */
  get tokens(): number {
    return this.pages.length * this.#pool.pageSize;
  }

  get released(): boolean {
    return this.#released;
  }

  /** Lets the pages be evicted again, from the last on. Doing it twice is harmless. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    for (let index = this.pages.length - 1; index >= 0; index -= 1) this.#pool.unpin(this.pages[index] as number);
  }

  [Symbol.dispose](): void {
    this.release();
  }
}
