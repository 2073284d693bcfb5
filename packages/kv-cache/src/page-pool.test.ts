import { InvalidArgumentError } from '@limen/tensor';
import { describe, expect, it } from 'vitest';

import { CacheFullError } from './errors/cache-full-error.js';
import { PageReferenceError } from './errors/page-reference-error.js';
import { PagePool } from './page-pool.js';

describe('PagePool', () => {
  it('hands out every page once, lowest first', () => {
    const pool = new PagePool({ pages: 3 });
    expect([pool.allocate(), pool.allocate(), pool.allocate()]).toEqual([0, 1, 2]);
    expect(pool.statistics()).toEqual({ total: 3, free: 0, used: 3, shared: 0 });
  });

  it('hands out the page released last', () => {
    const pool = new PagePool({ pages: 4 });
    const [first, second] = [pool.allocate(), pool.allocate()];
    pool.release(second);
    pool.release(first);
    expect([pool.allocate(), pool.allocate()]).toEqual([first, second]);
  });

  it('keeps a page until its last reference is dropped', () => {
    const pool = new PagePool({ pages: 2 });
    const page = pool.allocate();
    pool.retain(page);
    expect(pool.statistics()).toEqual({ total: 2, free: 1, used: 1, shared: 1 });
    expect(pool.release(page)).toBe(false);
    expect(pool.statistics().shared).toBe(0);
    expect(pool.release(page)).toBe(true);
    expect(pool.free).toBe(2);
  });

  it('throws CacheFullError with need, have and evictable when no page is free', () => {
    const pool = new PagePool({ pages: 1 });
    pool.allocate();
    expect(() => pool.allocate()).toThrowError(CacheFullError);
    expect(() => pool.require(5, 'caller')).toThrowError(
      'caller: the page pool is full: expected at least 5 free pages, got 0 (0 evictable).',
    );
    try {
      pool.require(5, 'caller');
    } catch (error) {
      expect(error).toMatchObject({ code: 'CACHE_FULL', need: 5, have: 0, evictable: 0 });
    }
  });

  it('throws PageReferenceError for a page nobody holds', () => {
    const pool = new PagePool({ pages: 2 });
    const page = pool.allocate();
    pool.release(page);
    expect(() => pool.release(page)).toThrowError(PageReferenceError);
    expect(() => pool.retain(page)).toThrowError('expected a page handed out by allocate(), got 0, which is free');
    for (const stranger of [-1, 2, 0.5, NaN]) {
      expect(() => pool.retain(stranger)).toThrowError(`got ${stranger} of a pool of 2 pages`);
    }
    expect(pool.free).toBe(2);
  });

  it.each([{ pages: 0 }, { pages: 1.5 }, { pages: NaN }, { pages: 4, pageSize: 0 }, { pages: 2 ** 31 }])(
    'rejects %o with InvalidArgumentError',
    (options) => {
      expect(() => new PagePool(options)).toThrowError(InvalidArgumentError);
    },
  );
});
