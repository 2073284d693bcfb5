// Whole sequences between a PagedCache and contiguous caches, as other programs keep them.

import type { Tensor } from '@limen/tensor';

import { invalidArgument, requireCount } from '../argument-checks.js';
import type { CacheSequence } from '../cache-sequence.js';
import type { PagedCache } from '../paged-cache.js';
import { type ContiguousOptions, fromPages } from './from-pages.js';
import { toPages } from './to-pages.js';
import { storedPages, type TokenOrder } from './token-order.js';

/** Keys and values of one layer, `[B, S, K, D]` or `[B, K, S, D]`. */
export interface ContiguousLayer {
  readonly k: Tensor;
  readonly v: Tensor;
}

/**
 * Brings a contiguous cache in: new sequences that hold its tokens, one for each row.
 *
 * @param inputs.layers - keys and values of every layer of the cache, `[B, S, K, D]`, or `[B, K, S, D]` with
 *   `order: 'BKSD'`; f32 | f16 | bf16 on the device of the cache, dense along `D`
 * @param inputs.lengths - tokens of each row that exist, at most `S`; the rest of a row is not read
 * @param options.order - axes of the tensors; default `'BSKD'`
 * @returns one sequence for each row; the caller releases them
 * @throws {CacheFullError} the pool has too few free and evictable pages; nothing has changed
 * @throws {InvalidArgumentError} layers are missing, or a length is no count or exceeds `S`; nothing has changed
 * @throws {ShapeMismatchError} a tensor does not fit the cache; no sequence is left behind
 *
 * @example
 * const [sequence] = importContiguous(cache, { layers: [{ k, v }], lengths: [17] }, { order: 'BKSD' });
 */
export function importContiguous(
  cache: PagedCache,
  { layers, lengths }: { readonly layers: readonly ContiguousLayer[]; readonly lengths: readonly number[] },
  { order = 'BSKD' }: { readonly order?: TokenOrder } = {},
): CacheSequence[] {
  if (layers.length !== cache.shape.layers) {
    throw invalidArgument({
      caller: 'importContiguous',
      argument: 'layers',
      problem: 'are not those of the cache',
      expected: `${cache.shape.layers} layers`,
      got: layers.length,
      fix: 'Give the keys and values of every layer, in order.',
    });
  }
  const room = layers[0]?.k.extent(order === 'BKSD' ? 2 : 1) ?? 0;
  for (const length of lengths) requireCount('importContiguous', 'length', length, 0, room);
  const sequences: CacheSequence[] = [];
  try {
    for (const length of lengths) sequences.push(cache.allocateSequence(length));
    using pageTable = cache.pageTable(sequences);
    using valid = cache.lengths(sequences);
    for (const [index, { k, v }] of layers.entries()) {
      const { keys, values } = storedPages(cache.layer(index));
      toPages({ x: k, pages: keys, pageTable, lengths: valid }, { order });
      toPages({ x: v, pages: values, pageTable, lengths: valid }, { order });
    }
    return sequences;
  } catch (error) {
    for (const sequence of sequences) sequence.release();
    throw error;
  }
}

/**
 * Takes one layer of sequences out as contiguous tensors: zeros past each length.
 *
 * @param layer - index, from 0
 * @param sequences - one for each row; they stay as they are. Tokens whose pages a window gave back become zeros.
 * @param options.order - axes of the result; default `'BSKD'`
 * @param options.dtype - type of the result; default: that of the pages where they are floats, else `f32`
 * @param options.tokens - `S`; default: the longest of `sequences`
 * @returns `k` and `v`, `[B, S, K, D]` or `[B, K, S, D]`; the caller disposes them
 * @throws {InvalidArgumentError} there is no such layer, or `tokens` is below 1
 * @throws {DisposedError} the cache was disposed
 */
export function exportContiguous(
  cache: PagedCache,
  layer: number,
  sequences: readonly CacheSequence[],
  options: ContiguousOptions = {},
): ContiguousLayer {
  const { keys, values } = storedPages(cache.layer(layer));
  const tokens = options.tokens ?? sequences.reduce((most, { length }) => Math.max(most, length), 0);
  requireCount('exportContiguous', 'tokens', tokens, 1);
  using pageTable = cache.pageTable(sequences);
  using lengths = cache.lengths(sequences);
  const k = fromPages({ pages: keys, pageTable, lengths }, { ...options, tokens });
  try {
    return { k, v: fromPages({ pages: values, pageTable, lengths }, { ...options, tokens }) };
  } catch (error) {
    k.dispose();
    throw error;
  }
}
