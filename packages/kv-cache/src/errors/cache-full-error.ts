// Thrown when the page pool cannot give what was asked. Nothing has changed when it is thrown.

import { LimenError } from '@limen/tensor';

/** The pool has fewer free and evictable pages than the call needs; code `CACHE_FULL`. All three counts are pages. */
export class CacheFullError extends LimenError {
  /** Pages the call needed. */
  readonly need: number;
  /** Pages that were free. */
  readonly have: number;
  /** Cached pages that could be given up besides, because no sequence holds and nobody has pinned them. */
  readonly evictable: number;

  constructor(caller: string, counts: { readonly need: number; readonly have: number; readonly evictable: number }) {
    const { need, have, evictable } = counts;
    super(
      'CACHE_FULL',
      `${caller}: the page pool is full: expected at least ${need} free pages, got ${have} (${evictable} evictable). ` +
        'Release or truncate a sequence, release a pin, or create the cache with more pages.',
      { need, have, evictable },
    );
    this.need = need;
    this.have = have;
    this.evictable = evictable;
  }
}
