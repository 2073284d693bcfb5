import { DisposedError, InvalidArgumentError } from '@limen/tensor';
import { describe, expect, it } from 'vitest';

import { CacheFullError } from './errors/cache-full-error.js';
import { PagePool } from './page-pool.js';
import { SequencePages } from './sequence-pages.js';

const poolOf = (pages: number): PagePool => new PagePool({ pages, pageSize: 4 });

describe('SequencePages', () => {
  it('takes as many pages as its tokens need', () => {
    const pool = poolOf(4);
    const sequence = SequencePages.allocate(pool, 9);
    expect(sequence).toMatchObject({ length: 9, capacity: 12, pages: [0, 1, 2], released: false });
    expect(SequencePages.allocate(pool, 0)).toMatchObject({ length: 0, capacity: 0, pages: [] });
    expect(pool.used).toBe(3);
  });

  it('takes a new page only when a token starts one', () => {
    const pool = poolOf(4);
    const sequence = SequencePages.allocate(pool, 3);
    expect(sequence.append(1)).toEqual({ added: [], copies: [] });
    expect(sequence.append(1)).toEqual({ added: [1], copies: [] });
    expect(sequence.append(0)).toEqual({ added: [], copies: [] });
    expect(sequence.length).toBe(5);
  });

  it('reserves slots without making the sequence longer', () => {
    const pool = poolOf(4);
    const sequence = SequencePages.allocate(pool, 2);
    expect(sequence.reserve(10)).toEqual({ added: [1, 2], copies: [] });
    expect(sequence).toMatchObject({ length: 2, capacity: 12 });
    expect(sequence.append(8)).toEqual({ added: [], copies: [] });
    expect(sequence.reserve(1)).toEqual({ added: [], copies: [] });
  });

  it('maps a position to its page and offset', () => {
    const sequence = SequencePages.allocate(poolOf(4), 6);
    expect([0, 3, 4, 7].map((position) => sequence.slot(position))).toEqual([
      { page: 0, offset: 0 },
      { page: 0, offset: 3 },
      { page: 1, offset: 0 },
      { page: 1, offset: 3 },
    ]);
    expect(() => sequence.slot(8)).toThrowError('position has no slot: expected a position below the capacity of 8');
    expect(() => sequence.slot(-1)).toThrowError(InvalidArgumentError);
  });

  it('shares every page with a fork and needs no free page for it', () => {
    const pool = poolOf(2);
    const parent = SequencePages.allocate(pool, 6);
    const child = parent.fork();
    expect(child.pages).toEqual(parent.pages);
    expect(child.length).toBe(6);
    expect(pool.statistics()).toMatchObject({ free: 0, used: 2, shared: 2 });
  });

  it('copies a shared partial page for the first fork that grows, and leaves it to the last', () => {
    const pool = poolOf(4);
    const parent = SequencePages.allocate(pool, 6);
    const child = parent.fork();
    expect(child.append(1)).toEqual({ added: [], copies: [{ from: 1, to: 2, tokens: 2 }] });
    expect(child.pages).toEqual([0, 2]);
    expect(parent.append(1)).toEqual({ added: [], copies: [] });
    expect(parent.pages).toEqual([0, 1]);
  });

  it('never copies a full page', () => {
    const pool = poolOf(4);
    const parent = SequencePages.allocate(pool, 8);
    const child = parent.fork();
    expect(child.append(1)).toEqual({ added: [2], copies: [] });
    expect(parent.append(1)).toEqual({ added: [3], copies: [] });
  });

  it('copies a full page that truncation made partial', () => {
    const pool = poolOf(4);
    const parent = SequencePages.allocate(pool, 8);
    const child = parent.fork();
    child.truncate(3);
    expect(child.pages).toEqual([0]);
    expect(child.append(1)).toEqual({ added: [], copies: [{ from: 0, to: 2, tokens: 3 }] });
  });

  it('makes the last page private when it reserves', () => {
    const pool = poolOf(4);
    const child = SequencePages.allocate(pool, 2).fork();
    expect(child.reserve(6)).toEqual({ added: [2], copies: [{ from: 0, to: 1, tokens: 2 }] });
    expect(child.append(4)).toEqual({ added: [], copies: [] });
  });

  it('keeps pages reserved ahead out of a fork', () => {
    const pool = poolOf(4);
    const parent = SequencePages.allocate(pool, 2);
    parent.reserve(12);
    expect(parent.fork().pages).toEqual([0]);
    expect(pool.used).toBe(3);
  });

  it('gives back the pages past the last kept token, also reserved ones', () => {
    const pool = poolOf(4);
    const sequence = SequencePages.allocate(pool, 6);
    sequence.reserve(16);
    sequence.truncate(5);
    expect(sequence.pages).toEqual([0, 1]);
    sequence.truncate(4);
    expect(sequence.pages).toEqual([0]);
    expect(pool.free).toBe(3);
    expect(() => sequence.truncate(5)).toThrowError('expected a whole number in [0, 4], got 5');
  });

  it('changes nothing when the pool is full', () => {
    const pool = poolOf(3);
    const parent = SequencePages.allocate(pool, 6);
    const child = parent.fork();
    SequencePages.allocate(pool, 1);
    expect(() => child.append(1)).toThrowError(CacheFullError);
    expect(() => parent.reserve(9)).toThrowError('SequencePages.reserve: the page pool is full: expected at least 2');
    expect(() => SequencePages.allocate(pool, 5)).toThrowError(CacheFullError);
    expect(child).toMatchObject({ length: 6, pages: [0, 1] });
    expect(parent).toMatchObject({ length: 6, pages: [0, 1] });
    expect(pool.statistics()).toMatchObject({ free: 0, used: 3, shared: 2 });
  });

  it('never writes a published page, even when it holds it alone', () => {
    const pool = poolOf(4);
    const sequence = SequencePages.allocate(pool, 4);
    pool.publish(0);
    sequence.truncate(3);
    expect(sequence.append(1)).toEqual({ added: [], copies: [{ from: 0, to: 1, tokens: 3 }] });
    expect(pool.statistics()).toMatchObject({ used: 1, cached: 1 });
  });

  it('continues from published pages, and from no other', () => {
    const pool = poolOf(4);
    const first = SequencePages.allocate(pool, 8);
    pool.publish(0);
    pool.publish(1);
    first.release();
    const second = SequencePages.continueFrom(pool, [0, 1]);
    expect(second).toMatchObject({ length: 8, capacity: 8, pages: [0, 1] });
    expect(pool.statistics()).toMatchObject({ used: 2, cached: 0 });
    expect(second.append(1)).toEqual({ added: [2], copies: [] });
    expect(() => SequencePages.continueFrom(pool, [0, 2])).toThrowError('pages cannot be shared: expected published');
    expect(pool.references(0)).toBe(1);
  });

  it('is made anew from its outline on other pages, with the gaps of a window and without what was reserved', () => {
    const pool = poolOf(11);
    const sequence = SequencePages.allocate(pool, 19);
    sequence.reserve(30);
    sequence.releaseOutside({ window: 6, sinks: 2 });
    expect(sequence.pages).toEqual([0, -1, -1, 3, 4, 5, 6, 7]);
    const outline = sequence.outline();
    expect(outline).toMatchObject({ length: 19, held: [true, false, false, true, true] });
    const twin = SequencePages.fromOutline(pool, outline, 'test');
    expect(twin).toMatchObject({ length: 19, capacity: 20, pages: [1, -1, -1, 2, 8], published: 0 });
    expect(() => twin.truncate(14)).toThrowError(InvalidArgumentError); // as with the first: a window would reach a gap
    twin.truncate(18);
    expect(() => SequencePages.fromOutline(pool, outline, 'test')).toThrowError('test: the page pool is full');
    expect(pool.used).toBe(9);
  });

  it('releases its last page first, so that the beginning stays cached longest', () => {
    const pool = poolOf(4);
    const sequence = SequencePages.allocate(pool, 12);
    [0, 1, 2].forEach((page) => pool.publish(page));
    sequence.release();
    expect(pool.evictionOrder()).toEqual([2, 1, 0]);
  });

  it('gives every page back at the end of its scope', () => {
    const pool = poolOf(3);
    {
      using sequence = SequencePages.allocate(pool, 6);
      using child = sequence.fork();
      child.append(2);
      expect(pool.free).toBe(0);
    }
    expect(pool.free).toBe(3);
  });

  it('throws DisposedError after release, and may be released twice', () => {
    const sequence = SequencePages.allocate(poolOf(3), 6);
    sequence.release();
    sequence.release();
    expect(sequence).toMatchObject({ released: true, length: 0, pages: [] });
    const uses = [
      () => sequence.append(1),
      () => sequence.reserve(1),
      () => sequence.fork(),
      () => sequence.truncate(0),
      () => sequence.slot(0),
      () => sequence.releaseOutside({ window: 1 }),
    ];
    for (const use of uses) expect(use).toThrowError(DisposedError);
  });

  it.each([-1, 0.5, NaN, Infinity])('rejects a count of %d', (count) => {
    const pool = poolOf(3);
    const sequence = SequencePages.allocate(pool, 1);
    for (const use of [() => sequence.append(count), () => sequence.reserve(count), () => sequence.truncate(count)]) {
      expect(use).toThrowError(InvalidArgumentError);
    }
    expect(() => SequencePages.allocate(pool, count)).toThrowError(InvalidArgumentError);
    expect(pool.used).toBe(1);
  });
});
