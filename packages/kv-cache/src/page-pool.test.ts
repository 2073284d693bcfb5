import { InvalidArgumentError } from '@limen/tensor';
import { describe, expect, it } from 'vitest';

import { CacheFullError } from './errors/cache-full-error.js';
import { PageReferenceError } from './errors/page-reference-error.js';
import { PagePool } from './page-pool.js';

describe('PagePool', () => {
  it('hands out every page once, lowest first', () => {
    const pool = new PagePool({ pages: 3 });
    expect([pool.allocate(), pool.allocate(), pool.allocate()]).toEqual([0, 1, 2]);
    expect(pool.statistics()).toEqual({ total: 3, free: 0, used: 3, cached: 0, shared: 0, pinned: 0 });
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
    expect(pool.statistics()).toMatchObject({ free: 1, used: 1, shared: 1 });
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
    expect(() => pool.retain(page)).toThrowError('expected a page that is used or cached, got 0, which is free');
    for (const stranger of [-1, 2, 0.5, NaN]) {
      expect(() => pool.retain(stranger)).toThrowError(`got ${stranger} of a pool of 2 pages`);
    }
    expect(pool.free).toBe(2);
  });

  it('keeps a published page when its last reference goes, and takes it up again', () => {
    const pool = new PagePool({ pages: 2 });
    const page = pool.allocate();
    pool.publish(page);
    expect(pool.isReadOnly(page)).toBe(true);
    expect(pool.release(page)).toBe(true);
    expect(pool.statistics()).toEqual({ total: 2, free: 1, used: 0, cached: 1, shared: 0, pinned: 0 });
    expect(pool.state(page)).toBe('cached');
    pool.retain(page);
    expect(pool.statistics()).toMatchObject({ free: 1, used: 1, cached: 0 });
    expect(pool.evictable).toBe(0);
  });

  it('gives up the page used least recently, only when none is free, and says so first', () => {
    const pool = new PagePool({ pages: 4 });
    const evicted: number[] = [];
    pool.onEvict((page) => evicted.push(page));
    const [first, second, third] = [pool.allocate(), pool.allocate(), pool.allocate()];
    for (const page of [first, second, third]) {
      pool.publish(page);
      pool.release(page);
    }
    pool.retain(first);
    pool.release(first);
    expect(pool.evictionOrder()).toEqual([second, third, first]);
    expect(pool.allocate()).toBe(3);
    expect(evicted).toEqual([]);
    expect([pool.allocate(), pool.allocate()]).toEqual([second, third]);
    expect(evicted).toEqual([second, third]);
    expect(pool.isPublished(second)).toBe(false);
    expect(pool.available).toBe(1);
  });

  it('keeps a pinned page until every pin is gone, whether it is held or not', () => {
    const pool = new PagePool({ pages: 1 });
    const page = pool.allocate();
    pool.publish(page);
    pool.pin(page);
    pool.release(page);
    pool.pin(page);
    expect(pool.statistics()).toMatchObject({ cached: 1, pinned: 1 });
    expect(() => pool.allocate()).toThrowError(CacheFullError);
    expect(pool.retract(page)).toBe(false);
    pool.unpin(page);
    expect(() => pool.allocate()).toThrowError('got 0 (0 evictable)');
    pool.unpin(page);
    expect(pool.statistics().pinned).toBe(0);
    expect(pool.allocate()).toBe(page);
  });

  it('counts evictable pages as pages it has', () => {
    const pool = new PagePool({ pages: 3 });
    const page = pool.allocate();
    pool.publish(page);
    pool.release(page);
    expect(() => pool.require(3, 'caller')).not.toThrow();
    expect(() => pool.require(4, 'caller')).toThrowError('expected at least 4 free pages, got 2 (1 evictable)');
  });

  it('takes publication back: a cached page is free then, a used one like any other', () => {
    const pool = new PagePool({ pages: 2 });
    const [held, left] = [pool.allocate(), pool.allocate()];
    pool.publish(held);
    pool.publish(left);
    pool.release(left);
    expect([pool.retract(held), pool.retract(left), pool.retract(left)]).toEqual([true, true, true]);
    expect(pool.statistics()).toMatchObject({ free: 1, used: 1, cached: 0 });
    pool.release(held);
    expect(pool.free).toBe(2);
  });

  it('tells one listener of evictions and refuses a second', () => {
    const pool = new PagePool({ pages: 1 });
    pool.onEvict(() => undefined);
    expect(() => pool.onEvict(() => undefined)).toThrowError('listener is one too many');
  });

  it.each([{ pages: 0 }, { pages: 1.5 }, { pages: NaN }, { pages: 4, pageSize: 0 }, { pages: 2 ** 31 }])(
    'rejects %o with InvalidArgumentError',
    (options) => {
      expect(() => new PagePool(options)).toThrowError(InvalidArgumentError);
    },
  );
});
