import { fromArray, InvalidArgumentError, leakReport, read, ShapeMismatchError, type Tensor } from '@limen/tensor';
import { describe, expect, it } from 'vitest';

import type { PagedCacheOptions } from './cache-options.js';
import type { CacheSequence } from './cache-sequence.js';
import { CacheFullError } from './errors/cache-full-error.js';
import { PagedCache } from './paged-cache.js';

const small = { layers: 2, keyValueHeads: 2, headSize: 3, pageSize: 4, pages: 8, dtype: 'f32' } as const;
const width = small.keyValueHeads * small.headSize;
const createSmall = (options: Partial<PagedCacheOptions> = {}) => PagedCache.create({ ...small, ...options });

/** A key (part 0) or value (part 1) element of a token; recognisable, and different in every place. */
function element(layer: number, part: number, token: number, channel: number): number {
  return Math.sin(1 + layer * 1000 + part * 500 + token * 10 + channel);
}

/** Writes `tokens` into the last slots of a sequence, in every layer. */
function writeTokens(cache: PagedCache, sequence: CacheSequence, tokens: readonly number[]): void {
  const first = sequence.length - tokens.length;
  using pageTable = cache.pageTable([sequence]);
  using positions = fromArray(
    tokens.map((_, index) => first + index),
    [1, tokens.length],
    { dtype: 'i32' },
  );
  for (let layer = 0; layer < small.layers; layer += 1) {
    const part = (which: number): Tensor => {
      const values = tokens.flatMap((token) =>
        Array.from({ length: width }, (_, channel) => element(layer, which, token, channel)),
      );
      return fromArray(values, [1, tokens.length, small.keyValueHeads, small.headSize]);
    };
    using k = part(0);
    using v = part(1);
    cache.append(layer, { k, v, pageTable, positions });
  }
}

/** Attention over `tokens` in plain loops: query 1 at every channel, one query head for each key/value head. */
function expectedAttention(layer: number, tokens: readonly number[]): number[] {
  return Array.from({ length: small.keyValueHeads }, (_, head) => {
    const channels = Array.from({ length: small.headSize }, (_, channel) => head * small.headSize + channel);
    const scores = tokens.map((token) => channels.reduce((sum, channel) => sum + element(layer, 0, token, channel), 0));
    const weights = scores.map((score) => Math.exp(score / Math.sqrt(small.headSize)));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return channels.map((channel) =>
      tokens.reduce(
        (sum, token, index) => sum + ((weights[index] ?? 0) / total) * element(layer, 1, token, channel),
        0,
      ),
    );
  }).flat();
}

async function expectTokens(cache: PagedCache, contents: ReadonlyMap<CacheSequence, readonly number[]>): Promise<void> {
  const sequences = [...contents.keys()];
  using pageTable = cache.pageTable(sequences);
  using lengths = cache.lengths(sequences);
  using q = fromArray(new Float32Array(sequences.length * width).fill(1), [
    sequences.length,
    small.keyValueHeads,
    small.headSize,
  ]);
  for (let layer = 0; layer < small.layers; layer += 1) {
    using y = cache.attention(layer, { q, pageTable, lengths });
    const expected = [...contents.values()].flatMap((tokens) => expectedAttention(layer, tokens));
    const got = await read(y);
    expected.forEach((value, index) => expect(got[index]).toBeCloseTo(value, 5));
  }
}

describe('PagedCache', () => {
  it('attends over the tokens that were appended, for sequences of different length', async () => {
    using cache = createSmall();
    const [long, short] = [cache.allocateSequence(6), cache.allocateSequence(1)];
    writeTokens(cache, long, [1, 2, 3, 4, 5, 6]);
    writeTokens(cache, short, [7]);
    await expectTokens(
      cache,
      new Map([
        [long, [1, 2, 3, 4, 5, 6]],
        [short, [7]],
      ]),
    );
    long.append(3);
    writeTokens(cache, long, [8, 9, 10]);
    await expectTokens(
      cache,
      new Map([
        [short, [7]],
        [long, [1, 2, 3, 4, 5, 6, 8, 9, 10]],
      ]),
    );
  });

  it('lets forks go their own ways after a shared beginning, in every layer', async () => {
    using cache = createSmall();
    const parent = cache.allocateSequence(6);
    writeTokens(cache, parent, [1, 2, 3, 4, 5, 6]);
    const children = [parent.fork(), parent.fork()];
    expect(cache.statistics().pages).toMatchObject({ used: 2, shared: 2 });
    const contents = new Map([[parent, [1, 2, 3, 4, 5, 6]]]);
    children.forEach((child, index) => {
      expect(child.append(1).copies).toHaveLength(1);
      writeTokens(cache, child, [20 + index]);
      contents.set(child, [1, 2, 3, 4, 5, 6, 20 + index]);
    });
    expect(cache.statistics().pages).toMatchObject({ used: 4, shared: 1 });
    await expectTokens(cache, contents);
  });

  it('scales scores as asked, and writes into a tensor that exists', async () => {
    using cache = createSmall();
    const sequence = cache.allocateSequence(2);
    writeTokens(cache, sequence, [1, 2]);
    using pageTable = cache.pageTable([sequence]);
    using lengths = cache.lengths([sequence]);
    using q = fromArray([1000, 0, 0, 1000, 0, 0], [1, 2, 3]);
    using out = fromArray(new Float32Array(width), [1, 2, 3]);
    expect(cache.attention(0, { q, pageTable, lengths, scale: 1 }, { out })).toBe(out);
    // Scores so far apart that each head takes the value of one token whole.
    const winners = [0, 3].map((channel) => (element(0, 0, 1, channel) > element(0, 0, 2, channel) ? 1 : 2));
    const expected = Array.from({ length: width }, (_, channel) =>
      element(0, 1, winners[channel < 3 ? 0 : 1] ?? 0, channel),
    );
    (await read(out)).forEach((value, index) => expect(value).toBeCloseTo(expected[index] ?? NaN, 5));
    using flat = cache.attention(0, { q, pageTable, lengths, scale: 1e-9 });
    const mean = (element(0, 1, 1, 0) + element(0, 1, 2, 0)) / 2;
    expect((await read(flat))[0]).toBeCloseTo(mean, 5);
  });

  it('writes tables into tensors that exist, padded to their shape', async () => {
    using cache = createSmall();
    const sequence = cache.allocateSequence(5);
    using table = fromArray(new Int32Array(6), [2, 3], { dtype: 'i32' });
    using lengths = fromArray(Int32Array.of(9, 9), [2], { dtype: 'i32' });
    expect(cache.pageTable([sequence], { out: table })).toBe(table);
    expect(cache.lengths([sequence], { out: lengths })).toBe(lengths);
    expect([...(await read(table))]).toEqual([0, 1, -1, -1, -1, -1]);
    expect([...(await read(lengths))]).toEqual([5, 0]);
    using wide = cache.pageTable([sequence], { rows: 1, columns: 4 });
    expect(wide.shape).toEqual([1, 4]);
  });

  it('reports pages, bytes and waste', () => {
    using cache = createSmall();
    const sequence = cache.allocateSequence(6);
    sequence.fork();
    expect(cache.statistics()).toMatchObject({
      pages: { total: 8, free: 6, used: 2, cached: 0, shared: 2, pinned: 0 },
      bytes: { total: 8 * 384, used: 2 * 384, cached: 0, perToken: 96, perPage: 384 },
      sequences: 2,
      tokens: 6,
      wastePerSequence: { mean: 2, largest: 2 },
      fragmentation: 0.25,
      prefixes: { pages: 0, lookups: 0, hits: 0, tokens: 0, tokensReused: 0, hitRate: 0, evictions: 0 },
      host: { budgetBytes: 0, heldSequences: 0, swapsOut: 0, swapsIn: 0 },
    });
    expect(cache.freePages).toBe(6);
  });

  it('throws CacheFullError and stays usable', () => {
    using cache = createSmall();
    const sequence = cache.allocateSequence(32);
    expect(() => cache.allocateSequence(1)).toThrowError(CacheFullError);
    expect(() => sequence.append(1)).toThrowError(CacheFullError);
    sequence.release();
    expect(cache.allocateSequence(32).capacity).toBe(32);
  });

  it('keeps pages in 16-bit floats when asked to', () => {
    using cache = createSmall({ dtype: 'bf16' });
    expect(cache.layer(1).keys).toMatchObject({ dtype: 'bf16', shape: [8, 4, 2, 3] });
    expect(cache.statistics().bytes.perToken).toBe(48);
  });

  it('shows pages of either layout in one shape, the tokens of a head together unless asked otherwise', () => {
    using byHead = createSmall();
    expect(byHead.layout).toBe('HND');
    expect(byHead.layer(0).keys).toMatchObject({ shape: [8, 4, 2, 3], strides: [24, 3, 12, 1] });
    using byToken = createSmall({ layout: 'NHD' });
    expect(byToken.layer(0).keys).toMatchObject({ shape: [8, 4, 2, 3], strides: [24, 6, 3, 1] });
  });

  it('takes the memory it reports, and frees all of it when disposed, sequences first', () => {
    const before = leakReport().length;
    const cache = createSmall();
    const sequence = cache.allocateSequence(3);
    expect(leakReport().slice(before)).toMatchObject([{ byteLength: cache.statistics().bytes.total }]);
    cache.dispose();
    cache.dispose();
    expect(sequence.released).toBe(true);
    expect(leakReport()).toHaveLength(before);
    expect(() => cache.allocateSequence(1)).toThrowError(
      'paged cache was asked for a sequence after it had been disposed',
    );
    expect(() => sequence.append(1)).toThrowError('sequence was used by SequencePages.append');
  });

  it('names the layer that does not exist', () => {
    using cache = createSmall();
    expect(() => cache.layer(2)).toThrowError(
      'PagedCache.layer: index is out of range: expected a whole number in [0, 1], got 2',
    );
    expect(() => cache.layer(-1)).toThrowError(InvalidArgumentError);
  });

  it('refuses tensors that do not fit it', () => {
    using cache = createSmall();
    const sequence = cache.allocateSequence(1);
    using pageTable = cache.pageTable([sequence]);
    using lengths = cache.lengths([sequence]);
    using q = fromArray(new Float32Array(8), [1, 2, 4]);
    expect(() => cache.attention(0, { q, pageTable, lengths })).toThrowError(ShapeMismatchError);
    expect(() => cache.lengths([sequence], { rows: 0 })).toThrowError('PagedCache.lengths: rows is out of range');
    expect(() => cache.pageTable([sequence], { rows: 0 })).toThrowError('rows is too small');
  });

  it.each([{ layers: 0 }, { pages: 0 }, { pageSize: -1 }, { headSize: 0.5 }, { keyValueHeads: NaN }])(
    'rejects %o',
    (wrong) => {
      const before = leakReport().length;
      expect(() => createSmall(wrong)).toThrowError(InvalidArgumentError);
      expect(leakReport()).toHaveLength(before);
    },
  );
});
