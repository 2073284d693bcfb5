// Thrown when a page is retained, released, published or pinned by somebody who has no right to.

import { LimenError } from '@limen/tensor';

/** A page is not in the state that the call is for; code `PAGE_REFERENCE`. The caller has a counting mistake. */
export class PageReferenceError extends LimenError {
  readonly page: number;

  constructor(
    caller: string,
    facts: {
      readonly page: number;
      /** Which pages the call is for. */
      readonly expected: string;
      /** State of the page; undefined for a number that is no page. */
      readonly state: string | undefined;
      readonly pages: number;
    },
  ) {
    const { page, expected, state, pages } = facts;
    const got = state === undefined ? `${page} of a pool of ${pages} pages` : `${page}, which is ${state}`;
    super(
      'PAGE_REFERENCE',
      `${caller}: page is in the wrong state: expected ${expected}, got ${got}. ` +
        'Give back every reference and every pin exactly once.',
      { page, pages, state },
    );
    this.page = page;
  }
}
