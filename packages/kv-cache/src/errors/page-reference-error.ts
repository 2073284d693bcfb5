// Thrown when a page is retained or released by somebody who holds no reference to it.

import { LimenError } from '@limen/tensor';

/** A page was retained or released while nobody holds it; code `PAGE_REFERENCE`. The caller has a counting mistake. */
export class PageReferenceError extends LimenError {
  readonly page: number;

  constructor(caller: string, page: number, pages: number) {
    const known = Number.isInteger(page) && page >= 0 && page < pages;
    super(
      'PAGE_REFERENCE',
      `${caller}: page is not in use: expected a page handed out by allocate(), got ${page}${known ? ', which is free' : ` of a pool of ${pages} pages`}. ` +
        'Release every reference exactly once.',
      { page, pages },
    );
    this.page = page;
  }
}
