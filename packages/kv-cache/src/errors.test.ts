// Codes, facts and texts of the errors of page accounting.

import { LimenError } from '@limen/tensor';
import { describe, expect, it } from 'vitest';

import { CacheFullError } from './errors/cache-full-error.js';
import { PageReferenceError } from './errors/page-reference-error.js';
import { PagePool } from './page-pool.js';

function thrownBy(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe('CacheFullError', () => {
  it('has the code CACHE_FULL, three counts, and two ways on', () => {
    const pool = new PagePool({ pages: 1 });
    pool.allocate();
    const error = thrownBy(() => pool.allocate());
    expect(error).toBeInstanceOf(CacheFullError);
    expect(LimenError.isInstance(error)).toBe(true);
    expect(error).toMatchObject({ code: 'CACHE_FULL', need: 1, have: 0, evictable: 0, details: { need: 1, have: 0 } });
    expect(error).toMatchObject({
      message:
        'PagePool.allocate: the page pool is full: expected at least 1 free pages, got 0 (0 evictable). ' +
        'Release or truncate a sequence, or create the cache with more pages.',
    });
  });
});

describe('PageReferenceError', () => {
  it.each([
    [0, '0, which is free'],
    [2, '2 of a pool of 2 pages'],
    [-1, '-1 of a pool of 2 pages'],
    [0.5, '0.5 of a pool of 2 pages'],
  ])('has the code PAGE_REFERENCE and says what is wrong with page %d', (page, got) => {
    const pool = new PagePool({ pages: 2 });
    for (const [name, action] of [
      ['retain', () => pool.retain(page)],
      ['release', () => pool.release(page)],
    ] as const) {
      const error = thrownBy(action);
      expect(error).toBeInstanceOf(PageReferenceError);
      expect(error).toMatchObject({ code: 'PAGE_REFERENCE', page, details: { page, pages: 2 } });
      expect(error).toMatchObject({
        message:
          `PagePool.${name}: page is not in use: expected a page handed out by allocate(), got ${got}. ` +
          'Release every reference exactly once.',
      });
    }
  });
});
