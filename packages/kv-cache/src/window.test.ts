// Which pages a sliding window gives back, and what that means for the other operations.

import { InvalidArgumentError } from '@limen/tensor';
import { describe, expect, it } from 'vitest';

import { PagePool } from './page-pool.js';
import { SequencePages } from './sequence-pages.js';

const pageSize = 4;
function sequenceOf(tokens: number): SequencePages {
  return SequencePages.allocate(new PagePool({ pages: 16, pageSize }), tokens);
}

describe('SequencePages.releaseOutside', () => {
  it('gives back the whole pages between the sinks and the window, and keeps every position', () => {
    const sequence = sequenceOf(18);
    expect(sequence.releaseOutside({ window: 6, sinks: 1 })).toBe(2);
    expect(sequence.pages).toEqual([0, -1, -1, 3, 4]);
    expect(sequence).toMatchObject({ length: 18, capacity: 20 });
    expect(sequence.slot(17)).toEqual({ page: 4, offset: 1 });
    expect(() => sequence.slot(4)).toThrowError('expected a position inside the window, got 4');
    expect(sequence.pool.used).toBe(3);
  });

  it.each([
    [18, 18, 0, 0],
    [18, 15, 0, 0],
    [18, 14, 0, 1],
    [18, 1, 0, 4],
    [18, 1, 4, 3],
    [18, 1, 5, 2],
    [18, 100, 100, 0],
    [16, 1, 0, 3],
    [0, 1, 0, 0],
  ])('of %d tokens with a window of %d and %d sinks gives back %d pages', (tokens, window, sinks, given) => {
    const sequence = sequenceOf(tokens);
    expect(sequence.releaseOutside({ window, sinks })).toBe(given);
    expect(sequence.releaseOutside({ window, sinks })).toBe(0);
    expect(sequence.pool.used).toBe(Math.ceil(tokens / pageSize) - given);
  });

  it('follows a window that moves, grows, and loses its sinks', () => {
    const sequence = sequenceOf(16);
    expect(sequence.releaseOutside({ window: 4, sinks: 4 })).toBe(2);
    expect(sequence.append(4).added).toHaveLength(1);
    expect(sequence.releaseOutside({ window: 12, sinks: 4 })).toBe(0);
    expect(sequence.releaseOutside({ window: 4, sinks: 12 })).toBe(1);
    expect(sequence.releaseOutside({ window: 12 })).toBe(1);
    expect(sequence.releaseOutside({ window: 1 })).toBe(0);
    expect(sequence.pool.used).toBe(1);
  });

  it('looks back when sinks shrink while the window grows', () => {
    const sequence = sequenceOf(24);
    expect(sequence.releaseOutside({ window: 1, sinks: 12 })).toBe(2);
    expect(sequence.releaseOutside({ window: 16 })).toBe(2);
    expect(sequence.pages).toEqual([-1, -1, 2, -1, -1, 5]);
    expect(sequence.releaseOutside({ window: 8 })).toBe(1);
    expect(sequence.pool.used).toBe(1);
  });

  it('leaves a page that a fork still holds to the fork', () => {
    const sequence = sequenceOf(12);
    const child = sequence.fork();
    sequence.releaseOutside({ window: 1 });
    expect(sequence.pool.used).toBe(3);
    expect(child.slot(0)).toEqual({ page: 0, offset: 0 });
    const grandchild = sequence.fork();
    expect(grandchild.pages).toEqual([-1, -1, 2]);
    grandchild.release();
    child.release();
    expect(sequence.pool.used).toBe(1);
    sequence.release();
    expect(sequence.pool.used).toBe(0);
  });

  it('keeps copy on write of the last page', () => {
    const sequence = sequenceOf(10);
    sequence.releaseOutside({ window: 2 });
    expect(sequence.fork().append(1).copies).toEqual([{ from: 2, to: 0, tokens: 2 }]);
  });

  it('lets tokens be taken back while the window of the next one is whole, or before the first page given back', () => {
    const sequence = sequenceOf(22);
    sequence.releaseOutside({ window: 8, sinks: 4 });
    expect(sequence.pages).toEqual([0, -1, -1, 3, 4, 5]);
    expect(() => sequence.truncate(18)).toThrowError('reaches into pages that were given back: expected at least 19');
    expect(() => sequence.truncate(5)).toThrowError('or at most 4, got 5');
    sequence.truncate(19);
    expect(sequence.length).toBe(19);
    sequence.truncate(4);
    expect(sequence.pages).toEqual([0]);
    sequence.append(8);
    sequence.truncate(5);
    expect(sequence.length).toBe(5);
  });

  it('allows a truncation to the present length after any series of windows', () => {
    const sequence = sequenceOf(20);
    sequence.releaseOutside({ window: 2 });
    sequence.releaseOutside({ window: 100 });
    sequence.reserve(40);
    sequence.truncate(20);
    expect(sequence.capacity).toBe(20);
  });

  it.each([{ window: 0 }, { window: NaN }, { window: 2, sinks: -1 }, { window: 2, sinks: 0.5 }])(
    'rejects %o',
    (window) => {
      expect(() => sequenceOf(5).releaseOutside(window)).toThrowError(InvalidArgumentError);
    },
  );
});
