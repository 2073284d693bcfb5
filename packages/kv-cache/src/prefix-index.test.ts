import { DisposedError, InvalidArgumentError } from '@limen/tensor';
import { describe, expect, it } from 'vitest';

import { CacheFullError } from './errors/cache-full-error.js';
import { PagePool } from './page-pool.js';
import { PrefixChain, type PrefixOrigin } from './prefix-chain.js';
import { PrefixIndex } from './prefix-index.js';
import { PrefixPin } from './prefix-pin.js';
import { SequencePages } from './sequence-pages.js';

const pageSize = 4;
function indexOf(pages = 8): { pool: PagePool; index: PrefixIndex } {
  const pool = new PagePool({ pages, pageSize });
  return { pool, index: new PrefixIndex(pool) };
}

function chainOf(tokens: number, first = 0, origin: Partial<PrefixOrigin> = {}): PrefixChain {
  const ids = Array.from({ length: tokens }, (_, index) => first + index);
  return new PrefixChain({ model: 'model', pageSize, ...origin }, { tokens: ids });
}

/** Serves a prompt as an engine would: opens it, appends the rest, publishes it. */
function serve(index: PrefixIndex, chain: PrefixChain): SequencePages {
  const sequence = index.open(chain);
  sequence.append(chain.length - sequence.length);
  index.publish(sequence, chain);
  return sequence;
}

describe('PrefixIndex', () => {
  it('opens a sequence with the pages that hold its beginning, and leaves the rest to be computed', () => {
    const { pool, index } = indexOf();
    const first = serve(index, chainOf(10));
    const second = index.open(chainOf(14));
    expect(second).toMatchObject({ length: 8, pages: first.pages.slice(0, 2) });
    expect(pool.statistics()).toMatchObject({ used: 3, shared: 2 });
    expect(second.append(6).copies).toEqual([]);
    expect(second.pages.slice(2)).not.toContain(first.pages[2]);
  });

  it('finds the pages after their sequence has ended, until the pool needs them', () => {
    const { pool, index } = indexOf(4);
    serve(index, chainOf(12)).release();
    expect(pool.statistics()).toMatchObject({ free: 1, used: 0, cached: 3 });
    expect(index.find(chainOf(12, 0), { leaveLast: false })).toEqual([0, 1, 2]);
    const other = SequencePages.allocate(pool, 8);
    expect(index.find(chainOf(12), { leaveLast: false })).toEqual([0, 1]);
    expect(index.statistics().evictions).toBe(1);
    other.release();
  });

  it('leaves at least one token to be computed, unless told not to', () => {
    const { index } = indexOf();
    serve(index, chainOf(8)).release();
    expect(index.open(chainOf(8)).length).toBe(4);
    expect(index.open(chainOf(9)).length).toBe(8);
    expect(index.open(chainOf(8), { leaveLast: false }).length).toBe(8);
    expect(index.open(chainOf(0)).length).toBe(0);
  });

  it('never shares between tenants or models', () => {
    const { index } = indexOf();
    serve(index, chainOf(8));
    for (const other of [{ salt: 'tenant' }, { model: 'another' }]) {
      expect(index.open(chainOf(9, 0, other)).length).toBe(0);
    }
    expect(index.open(chainOf(9)).length).toBe(8);
  });

  it('publishes full pages only, once, and as the sequence grows', () => {
    const { pool, index } = indexOf();
    const chain = chainOf(6);
    const sequence = index.open(chain);
    sequence.append(6);
    expect(index.publish(sequence, chain)).toBe(1);
    expect(index.publish(sequence, chain)).toBe(0);
    sequence.append(6);
    expect(index.publish(sequence, chain)).toBe(0);
    chain.append({ tokens: [6, 7, 8, 9, 10, 11, 12] });
    expect(index.publish(sequence, chain)).toBe(2);
    expect(index.size).toBe(3);
    expect(pool.isPublished(2)).toBe(true);
  });

  it('keeps the first of two pages with the same beginning', () => {
    const { pool, index } = indexOf();
    const sequences = [SequencePages.allocate(pool, 8), SequencePages.allocate(pool, 8)];
    expect(sequences.map((sequence) => index.publish(sequence, chainOf(8)))).toEqual([2, 0]);
    sequences.forEach((sequence) => sequence.release());
    expect(pool.statistics()).toMatchObject({ free: 6, cached: 2 });
  });

  it('publishes again what was written after a truncation, and keeps what stood there before', () => {
    const { index } = indexOf();
    const chain = chainOf(8);
    const sequence = serve(index, chain);
    sequence.truncate(6);
    chain.truncate(6);
    expect(sequence.append(2).copies).toHaveLength(1);
    chain.append({ tokens: [100, 101] });
    expect(index.publish(sequence, chain)).toBe(1);
    expect(index.find(chain, { leaveLast: false })).toEqual(sequence.pages);
    expect(index.find(chainOf(8), { leaveLast: false })).toHaveLength(2);
  });

  it('leaves out pages that a window has given back', () => {
    const { pool, index } = indexOf();
    const sequence = SequencePages.allocate(pool, 16);
    sequence.releaseOutside({ window: 4, sinks: 4 });
    expect(index.publish(sequence, chainOf(16))).toBe(2);
    expect(index.find(chainOf(16))).toEqual([0]);
  });

  it('evicts the end of the prefix that was used least recently', () => {
    const { pool, index } = indexOf(6);
    serve(index, chainOf(12)).release();
    serve(index, chainOf(12, 50)).release();
    serve(index, chainOf(12)).release();
    SequencePages.allocate(pool, 8);
    expect(index.find(chainOf(13))).toHaveLength(3);
    expect(index.find(chainOf(13, 50))).toHaveLength(1);
  });

  it('throws CacheFullError only when neither free nor evictable pages are left', () => {
    const { pool, index } = indexOf(4);
    const held = serve(index, chainOf(4));
    serve(index, chainOf(8, 50)).release();
    expect(pool.statistics()).toMatchObject({ free: 1, used: 1, cached: 2 });
    expect(() => held.append(13)).toThrowError('expected at least 4 free pages, got 1 (2 evictable)');
    expect(pool.statistics()).toMatchObject({ free: 1, used: 1, cached: 2 });
    held.append(12);
    expect(() => held.append(1)).toThrowError(CacheFullError);
    expect(index.statistics()).toMatchObject({ evictions: 2, pages: 1 });
  });

  it('keeps pinned prefixes, through several pins and the end of a scope', () => {
    const { pool, index } = indexOf(3);
    serve(index, chainOf(8)).release();
    {
      using pin = index.pin(chainOf(8));
      expect(pin).toMatchObject({ pages: [0, 1], tokens: 8, released: false });
      const again = index.pin(chainOf(4));
      expect(pool.statistics()).toMatchObject({ free: 1, cached: 2, pinned: 2 });
      expect(() => SequencePages.allocate(pool, 8)).toThrowError('got 1 (0 evictable)');
      again.release();
      again.release();
      expect(pool.statistics().pinned).toBe(2);
      expect(index.open(chainOf(9)).length).toBe(8);
    }
    expect(pool.statistics()).toMatchObject({ used: 2, cached: 0, pinned: 0 });
    expect(index.pin(chainOf(8, 50)).tokens).toBe(0);
  });

  it('forgets everything but pinned prefixes, and leaves sequences their pages', () => {
    const { pool, index } = indexOf();
    const held = serve(index, chainOf(8));
    serve(index, chainOf(8, 50)).release();
    serve(index, chainOf(4, 90)).release();
    const pin = index.pin(chainOf(4, 90));
    expect(index.clear()).toBe(4);
    expect(pool.statistics()).toMatchObject({ used: 2, cached: 1, free: 5 });
    expect([chainOf(9), chainOf(9, 50), chainOf(9, 90)].map((chain) => index.find(chain).length)).toEqual([0, 0, 1]);
    held.release();
    expect(pool.free).toBe(7);
    pin.release();
    expect(index.clear()).toBe(1);
  });

  it('counts lookups, hits and tokens, and nothing when it is only asked', () => {
    const { index } = indexOf();
    expect(index.statistics()).toMatchObject({ hitRate: 0 });
    serve(index, chainOf(8));
    index.find(chainOf(9));
    index.open(chainOf(12));
    expect(index.statistics()).toEqual({
      pages: 2,
      lookups: 2,
      hits: 1,
      tokens: 20,
      tokensReused: 8,
      hitRate: 0.4,
      evictions: 0,
    });
  });

  it('refuses prefixes of another page size, sequences of another pool, and released ones', () => {
    const { pool, index } = indexOf();
    const wrong = chainOf(8, 0, { pageSize: 8 });
    const sequence = SequencePages.allocate(pool, 8);
    for (const use of [() => index.open(wrong), () => index.pin(wrong), () => index.publish(sequence, wrong)]) {
      expect(use).toThrowError(InvalidArgumentError);
      expect(use).toThrowError('prefix has another page size: expected pages of 4 tokens, got 8');
    }
    const stranger = SequencePages.allocate(new PagePool({ pages: 3, pageSize }), 4);
    expect(() => index.publish(stranger, chainOf(4))).toThrowError('sequence belongs to another pool');
    sequence.release();
    expect(() => index.publish(sequence, chainOf(8))).toThrowError(DisposedError);
    expect(() => new PrefixIndex(pool)).toThrowError('expected one prefix index for each pool');
    expect(() => new PrefixPin(pool, [0])).toThrowError('PagePool.pin: page is in the wrong state');
  });
});
