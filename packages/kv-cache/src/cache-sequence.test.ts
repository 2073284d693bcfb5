import { describe, expect, it } from 'vitest';

import { CacheSequence } from './cache-sequence.js';
import { PagePool } from './page-pool.js';
import { type PageCopy, SequencePages } from './sequence-pages.js';

function sequenceOf(tokens: number) {
  const copied: PageCopy[] = [];
  const live = new Set<CacheSequence>();
  const pool = new PagePool({ pages: 8, pageSize: 4 });
  const keeper = {
    copyPages: (copies: readonly PageCopy[]) => copied.push(...copies),
    publish: () => 0,
    admit: (sequence: CacheSequence) => live.add(sequence),
    dismiss: (sequence: CacheSequence) => live.delete(sequence),
  };
  return { copied, live, pool, sequence: new CacheSequence(keeper, SequencePages.allocate(pool, tokens)) };
}

describe('CacheSequence', () => {
  it('copies on the device what its accounting asks for', () => {
    const { sequence, copied } = sequenceOf(6);
    const child = sequence.fork();
    expect(child.append(1).copies).toEqual([{ from: 1, to: 2, tokens: 2 }]);
    expect(copied).toEqual([{ from: 1, to: 2, tokens: 2 }]);
    expect(sequence.fork().reserve(9).copies).toEqual([{ from: 1, to: 3, tokens: 2 }]);
    expect(copied).toHaveLength(2);
  });

  it('reads as its accounting does', () => {
    const { sequence } = sequenceOf(6);
    sequence.truncate(5);
    expect(sequence).toMatchObject({ length: 5, capacity: 8, pages: [0, 1], released: false });
    expect(sequence.slot(4)).toEqual({ page: 1, offset: 0 });
  });

  it('is live until its release, forks included', () => {
    const { sequence, live, pool } = sequenceOf(6);
    const child = sequence.fork();
    expect([...live]).toEqual([sequence, child]);
    child.release();
    expect([...live]).toEqual([sequence]);
    sequence[Symbol.dispose]();
    expect(sequence.released).toBe(true);
    expect(live.size).toBe(0);
    expect(pool.free).toBe(8);
  });
});
