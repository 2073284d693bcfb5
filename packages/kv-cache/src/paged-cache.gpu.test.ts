// A cache on a GPU behaves as one on the CPU: the same history gives the same attention, forks and copies included.

import { fromArray, isDType, leakReport, read } from '@limen/tensor';
import { compareValues, cudaUnavailable, SeededRandom } from '@limen/tensor/testing';
import { describe, expect, it } from 'vitest';

import type { CacheDType } from './storage-formats.js';
import type { CacheSequence } from './cache-sequence.js';
import { PagedCache } from './paged-cache.js';

const reason = cudaUnavailable();
if (reason !== undefined) console.log(`skipped: ${reason}`);

const shape = { layers: 3, keyValueHeads: 2, headSize: 64, pageSize: 16, pages: 64 } as const;
const queryHeads = 4;

/** Runs one fixed history on a device and returns what attention gives in every layer. */
async function attentionAfterHistory(device: string, dtype: CacheDType): Promise<Float32Array> {
  using cache = PagedCache.create({ ...shape, dtype, device });
  const random = new SeededRandom(7);
  const floats = isDType(dtype) ? dtype : 'bf16';
  const numbers = (sizes: number[]) => {
    const count = sizes.reduce((product, size) => product * size, 1);
    return fromArray(
      Float32Array.from({ length: count }, () => random.normal()),
      sizes,
      { dtype: floats, device },
    );
  };
  const write = (sequence: CacheSequence, tokens: number) => {
    const first = sequence.length - tokens;
    using pageTable = cache.pageTable([sequence]);
    const places = Array.from({ length: tokens }, (_, index) => first + index);
    using positions = fromArray(places, [1, tokens], { dtype: 'i32', device });
    for (let layer = 0; layer < shape.layers; layer += 1) {
      using k = numbers([1, tokens, shape.keyValueHeads, shape.headSize]);
      using v = numbers([1, tokens, shape.keyValueHeads, shape.headSize]);
      cache.append(layer, { k, v, pageTable, positions });
    }
  };
  const sequences = [cache.allocateSequence(37), cache.allocateSequence(1)];
  for (const sequence of sequences) write(sequence, sequence.length);
  for (let index = 0; index < 3; index += 1) {
    const fork = sequences[0]?.fork();
    if (fork === undefined) continue;
    fork.append(5 + index);
    write(fork, 5 + index);
    sequences.push(fork);
  }
  sequences[1]?.truncate(0);
  using pageTable = cache.pageTable(sequences);
  using lengths = cache.lengths(sequences);
  const results: number[] = [];
  for (let layer = 0; layer < shape.layers; layer += 1) {
    using q = numbers([sequences.length, queryHeads, shape.headSize]);
    using y = cache.attention(layer, { q, pageTable, lengths });
    results.push(...(await read(y)));
  }
  return Float32Array.from(results);
}

describe.skipIf(reason !== undefined)('PagedCache on a GPU', () => {
  it.each([
    ['f32', 1e-4],
    ['f16', 3e-3],
    ['bf16', 2e-2],
  ] as const)('agrees with the CPU in %s', async (dtype, tolerance) => {
    const expected = await attentionAfterHistory('cpu', dtype);
    const verdict = compareValues(await attentionAfterHistory('cuda:0', dtype), expected, tolerance);
    expect(verdict.passed, verdict.text).toBe(true);
  });

  it('gives all its memory back', async () => {
    const before = leakReport().length;
    await attentionAfterHistory('cuda:0', 'f32');
    expect(leakReport()).toHaveLength(before);
  });
});
