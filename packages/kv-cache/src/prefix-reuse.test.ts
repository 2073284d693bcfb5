// Prefixes with real pages behind them: a sequence that opens with shared pages attends exactly as one that computed all.

import { fromArray, read } from '@limen/tensor';
import { describe, expect, it } from 'vitest';

import type { CacheSequence } from './cache-sequence.js';
import { CacheFullError } from './errors/cache-full-error.js';
import { PagedCache } from './paged-cache.js';
import type { PrefixChain } from './prefix-chain.js';

const model = { layers: 2, keyValueHeads: 1, headSize: 2 };
const create = (pages: number) => PagedCache.create({ ...model, pageSize: 4, pages, dtype: 'f32' });
const prompt = (length: number, first = 1) => Array.from({ length }, (_, index) => first + index);
const origin = { model: 'test' };

/** Writes the last tokens of a sequence, from position `first` on; keys and values follow from token and position. */
function write(cache: PagedCache, sequence: CacheSequence, tokens: readonly number[], first: number): void {
  const count = tokens.length - first;
  if (count === 0) return;
  using pageTable = cache.pageTable([sequence]);
  const places = Array.from({ length: count }, (_, index) => first + index);
  using positions = fromArray(places, [1, count], { dtype: 'i32' });
  for (let layer = 0; layer < model.layers; layer += 1) {
    const part = (phase: number) =>
      places.flatMap((position) =>
        [0, 1].map((channel) => Math.sin(layer + phase + channel + 7 * (tokens[position] ?? 0) + position)),
      );
    using k = fromArray(part(0), [1, count, 1, 2]);
    using v = fromArray(part(3), [1, count, 1, 2]);
    cache.append(layer, { k, v, pageTable, positions });
  }
}

/** Serves a prompt as an engine does: what is known is not computed again. */
function serve(cache: PagedCache, tokens: readonly number[], prefix: PrefixChain): CacheSequence {
  const sequence = cache.openSequence(prefix);
  const reused = sequence.length;
  sequence.append(tokens.length - reused);
  write(cache, sequence, tokens, reused);
  sequence.publish(prefix);
  return sequence;
}

async function attend(cache: PagedCache, sequence: CacheSequence): Promise<number[]> {
  using pageTable = cache.pageTable([sequence]);
  using lengths = cache.lengths([sequence]);
  using q = fromArray([1, 2], [1, 1, 2]);
  const outputs: number[] = [];
  for (let layer = 0; layer < model.layers; layer += 1) {
    using y = cache.attention(layer, { q, pageTable, lengths });
    outputs.push(...(await read(y)));
  }
  return outputs;
}

/** The same tokens in a cache of their own. */
async function attendAlone(tokens: readonly number[]): Promise<number[]> {
  using cache = create(16);
  const sequence = cache.allocateSequence(tokens.length);
  write(cache, sequence, tokens, 0);
  return await attend(cache, sequence);
}

describe('PagedCache · prefixes', () => {
  it('opens with the pages of an earlier prompt and attends as if it had computed them', async () => {
    using cache = create(16);
    const [first, second] = [prompt(10), [...prompt(9), 70, 71, 72]];
    serve(cache, first, cache.prefix(origin, { tokens: first })).release();
    const prefix = cache.prefix(origin, { tokens: second });
    expect(cache.reusableTokens(prefix)).toBe(8);
    const sequence = serve(cache, second, prefix);
    expect(await attend(cache, sequence)).toEqual(await attendAlone(second));
    expect(cache.statistics()).toMatchObject({
      pages: { used: 3, cached: 0 },
      prefixes: { lookups: 2, hits: 1, tokensReused: 8, pages: 3 },
    });
  });

  it('stays right while sequences end, pages are evicted and prompts come again', async () => {
    using cache = create(7);
    const prompts = [prompt(10), prompt(13), [...prompt(8), ...prompt(9, 50)], prompt(12, 30), prompt(17)];
    for (let round = 0; round < 12; round += 1) {
      const tokens = prompts[(round * 3) % prompts.length] ?? [];
      const sequence = serve(cache, tokens, cache.prefix(origin, { tokens }));
      expect(await attend(cache, sequence)).toEqual(await attendAlone(tokens));
      sequence.release();
    }
    const { prefixes, pages } = cache.statistics();
    expect(prefixes.evictions).toBeGreaterThan(3);
    expect(prefixes.tokensReused).toBeGreaterThan(20);
    expect(pages.free + pages.used + pages.cached).toBe(pages.total);
  });

  it('copies a shared page before a sequence goes its own way inside it', async () => {
    using cache = create(16);
    const tokens = prompt(8);
    const prefix = cache.prefix(origin, { tokens });
    const sequence = serve(cache, tokens, prefix);
    sequence.truncate(6);
    const other = [...prompt(6), 90, 91];
    expect(sequence.append(2).copies).toHaveLength(1);
    write(cache, sequence, other, 6);
    expect(await attend(cache, sequence)).toEqual(await attendAlone(other));
    const whole = cache.openSequence(prefix, { leaveLast: false });
    expect(await attend(cache, whole)).toEqual(await attendAlone(tokens));
  });

  it('shares nothing between tenants', () => {
    using cache = create(16);
    const tokens = prompt(9);
    serve(cache, tokens, cache.prefix({ ...origin, salt: 'one' }, { tokens }));
    expect(cache.reusableTokens(cache.prefix({ ...origin, salt: 'another' }, { tokens }))).toBe(0);
    expect(cache.reusableTokens(cache.prefix({ ...origin, salt: 'one' }, { tokens }))).toBe(8);
  });

  it('keeps a pinned prefix when the pool runs out, and forgets the others when told to', () => {
    using cache = create(4);
    const tokens = prompt(9);
    const prefix = cache.prefix(origin, { tokens });
    serve(cache, tokens, prefix).release();
    const pin = cache.pin(prefix);
    expect(pin.tokens).toBe(8);
    expect(cache).toMatchObject({ freePages: 2, availablePages: 2 });
    expect(() => cache.allocateSequence(12)).toThrowError(CacheFullError);
    expect(cache.forgetPrefixes()).toBe(0);
    pin.release();
    expect(cache.availablePages).toBe(4);
    expect(cache.forgetPrefixes()).toBe(2);
    expect(cache.statistics()).toMatchObject({ pages: { free: 4, cached: 0 }, bytes: { cached: 0 } });
  });

  it('says what is cached in bytes', () => {
    using cache = create(4);
    const tokens = prompt(8);
    serve(cache, tokens, cache.prefix(origin, { tokens })).release();
    const { bytes } = cache.statistics();
    expect(bytes).toMatchObject({ used: 0, cached: 2 * bytes.perPage });
  });

  it('gives back what a window does not read', () => {
    using cache = create(8);
    const sequence = cache.allocateSequence(18);
    expect(sequence.releaseOutside({ window: 5, sinks: 2 })).toBe(2);
    expect(sequence.pages).toEqual([0, -1, -1, 3, 4]);
    expect(cache.statistics()).toMatchObject({
      pages: { used: 3 },
      tokens: 10,
      wastePerSequence: { mean: 2, largest: 2 },
      fragmentation: 1 - 10 / 12,
    });
  });

  it('opens nothing after it was disposed', () => {
    const cache = create(4);
    const prefix = cache.prefix(origin, { tokens: prompt(8) });
    cache.dispose();
    expect(() => cache.openSequence(prefix)).toThrowError('paged cache was asked for a sequence after');
    expect(() => cache.pin(prefix)).toThrowError('paged cache was asked for a pin after');
  });
});
