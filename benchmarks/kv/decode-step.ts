// One decode step over the pages of a cache, layer after layer as a model runs it, and how long a layer of it takes.
//
// Every layer has pages of its own and all layers together are far larger than the L2 cache, so keys and values come from
// memory as they do in a model. The step is one recording: rotate and append one token of each sequence, attend, next layer;
// one launch a layer, or two where sequences share what they read.

import { bytesPerToken, type CacheDType, cacheFormats, type CacheSequence, type PagedCache } from '@limen/kv-cache';
import { type DType, empty, fillNormal, fromArray, record, type Tensor } from '@limen/tensor';

import { type Sample, scale, timeLaunches } from '../lib/measure.js';

/** What matters of a model: its layers, heads and rotary positions. */
export interface AttentionShape {
  readonly model: string;
  readonly layers: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headSize: number;
  readonly rotary: 'half' | 'interleaved';
  readonly rotaryDimensions: number;
}

/** Models of the benchmarks, and small ones that a CPU gets through. */
export const attentionShapes: Record<'full' | 'small', readonly AttentionShape[]> = {
  full: [
    {
      model: 'janus-pro-7b',
      layers: 30,
      heads: 32,
      keyValueHeads: 32,
      headSize: 128,
      rotary: 'half',
      rotaryDimensions: 128,
    },
    {
      model: 'glm-4v-9b',
      layers: 40,
      heads: 32,
      keyValueHeads: 2,
      headSize: 128,
      rotary: 'interleaved',
      rotaryDimensions: 64,
    },
  ],
  small: [
    { model: 'small', layers: 2, heads: 4, keyValueHeads: 4, headSize: 32, rotary: 'half', rotaryDimensions: 32 },
    {
      model: 'small-grouped',
      layers: 2,
      heads: 8,
      keyValueHeads: 1,
      headSize: 32,
      rotary: 'interleaved',
      rotaryDimensions: 16,
    },
  ],
};

/** Bytes of page memory over all layers: at least what makes caches useless, at most what leaves room. */
export const workingSet = { full: { least: 4e9, most: 24e9 }, small: { least: 0, most: 1e8 } };

/** Type of keys, values and queries as they come from a projection. */
export function computeType(format: CacheDType): DType {
  return cacheFormats[format].scales === undefined ? cacheFormats[format].elementDType : 'bf16';
}

/** Bytes of keys, values and scales of one token in one layer. */
export function layerTokenBytes({ keyValueHeads, headSize }: AttentionShape, format: CacheDType): number {
  return bytesPerToken({ layers: 1, keyValueHeads, headSize, dtype: format });
}

/** As many layers as the model has, unless that is too little to leave the caches behind or too much for the device. */
export function chooseLayers(
  layers: number,
  bytesPerLayer: number,
  { least, most }: { readonly least: number; readonly most: number },
): number {
  const enough = Math.max(layers, Math.ceil(least / bytesPerLayer));
  return Math.max(1, Math.min(enough, Math.max(Math.floor(most / bytesPerLayer), Math.ceil(least / bytesPerLayer))));
}

/** Lets sequences grow side by side to `tokens`: their pages lie interleaved, as after a long run of a server. */
export function growTogether(sequences: readonly CacheSequence[], tokens: number, pageSize: number): void {
  const start = Math.min(...sequences.map(({ length }) => length));
  for (let done = start; done < tokens; done += pageSize)
    for (const sequence of sequences) sequence.append(Math.min(pageSize, tokens - sequence.length));
}

/** Writes random keys and values of `tokens` tokens for every row of the page table and every layer. */
export function fillPages(cache: PagedCache, pageTable: Tensor, tokens: number): void {
  const { layers, keyValueHeads, headSize, dtype: format } = cache.shape;
  const { device } = cache;
  const dtype = computeType(format);
  using k = normal([1, tokens, keyValueHeads, headSize], dtype, device, 4);
  using v = normal([1, tokens, keyValueHeads, headSize], dtype, device, 5);
  const every = Int32Array.from({ length: tokens }, (_, position) => position);
  using positions = fromArray(every, [1, tokens], { dtype: 'i32', device });
  for (let row = 0; row < pageTable.extent(0); row++) {
    using ofRow = pageTable.slice(0, row, row + 1);
    for (let layer = 0; layer < layers; layer++) cache.append(layer, { k, v, pageTable: ofRow, positions });
  }
}

/**
 * Microseconds that a layer of a step takes.
 *
 * @param sequences - all of one length; the newest token is written again by every step
 * @param prefixTokens - tokens at the beginning that all of them share and read once; 0: each reads all of its own
 */
export async function timeStep(
  cache: PagedCache,
  { heads, rotary, rotaryDimensions }: AttentionShape,
  sequences: readonly CacheSequence[],
  { runs, prefixTokens = 0 }: { readonly runs: number; readonly prefixTokens?: number },
): Promise<Sample> {
  const { device, shape } = cache;
  const { layers, keyValueHeads, headSize } = shape;
  const batch = sequences.length;
  const dtype = computeType(shape.dtype);
  using pageTable = cache.pageTable(sequences);
  using lengths = cache.lengths(sequences);
  const newest = sequences.map(({ length }) => length - 1);
  using positions = fromArray(newest, [batch], { dtype: 'i32', device });
  using prefixLengths = fromArray([prefixTokens], [1], { dtype: 'i32', device });
  using k = normal([batch, keyValueHeads, headSize], dtype, device, 1);
  using v = normal([batch, keyValueHeads, headSize], dtype, device, 2);
  using q = normal([batch, heads, headSize], dtype, device, 3);
  using out = empty([batch, heads, headSize], { dtype, device });
  const options = { rotary, rotaryDimensions, settledCache: true, out };
  using step = record(device, () => {
    for (let layer = 0; layer < layers; layer++) {
      const shared = prefixTokens > 0 && { prefixLengths };
      cache.attend(layer, { q, k, v, pageTable, positions, lengths, ...shared }, options);
    }
  });
  const estimate = await timeLaunches(device, () => step.replay(), { runs: 1, calls: 2, warmUps: 1 });
  const calls = Math.min(1000, Math.max(3, Math.ceil(30 / estimate.median)));
  const sample = await timeLaunches(device, () => step.replay(), { runs, calls, warmUps: 1 });
  return scale(sample, (milliseconds) => (1000 * milliseconds) / layers);
}

function normal(shape: readonly number[], dtype: DType, device: string, seed: number): Tensor {
  const tensor = empty(shape, { dtype, device });
  fillNormal({ x: tensor }, { seed });
  return tensor;
}
