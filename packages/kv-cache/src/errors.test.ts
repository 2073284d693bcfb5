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
  it('has the code CACHE_FULL, three counts, and ways on', () => {
    const pool = new PagePool({ pages: 1 });
    pool.allocate();
    const error = thrownBy(() => pool.allocate());
    expect(error).toBeInstanceOf(CacheFullError);
    expect(LimenError.isInstance(error)).toBe(true);
    expect(error).toMatchObject({ code: 'CACHE_FULL', need: 1, have: 0, evictable: 0, details: { need: 1, have: 0 } });
    expect(error).toMatchObject({
      message:
        'PagePool.allocate: the page pool is full: expected at least 1 free pages, got 0 (0 evictable). ' +
        'Release or truncate a sequence, release a pin, or create the cache with more pages.',
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
    for (const [name, expected, action] of [
      ['retain', 'a page that is used or cached', () => pool.retain(page)],
      ['release', 'a page that somebody holds', () => pool.release(page)],
      ['publish', 'a page that somebody holds', () => pool.publish(page)],
      ['pin', 'a published page', () => pool.pin(page)],
      ['unpin', 'a pinned page', () => pool.unpin(page)],
    ] as const) {
      const error = thrownBy(action);
      expect(error).toBeInstanceOf(PageReferenceError);
      expect(error).toMatchObject({ code: 'PAGE_REFERENCE', page, details: { page, pages: 2 } });
      expect(error).toMatchObject({
        message:
          `PagePool.${name}: page is in the wrong state: expected ${expected}, got ${got}. ` +
          'Give back every reference and every pin exactly once.',
      });
    }
    expect(pool.statistics()).toMatchObject({ free: 2, pinned: 0 });
  });

  it.each(['used', 'cached'] as const)('is thrown for a page that is %s where that is not enough', (state) => {
    const pool = new PagePool({ pages: 2 });
    const page = pool.allocate();
    if (state === 'used') expect(() => pool.pin(page)).toThrowError('got 0, which is used');
    pool.publish(page);
    if (state === 'used') return;
    pool.release(page);
    expect(() => pool.release(page)).toThrowError('got 0, which is cached');
    expect(() => pool.publish(page)).toThrowError('got 0, which is cached');
  });
});
