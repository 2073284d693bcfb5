// Append and decode attention over pages, layer after layer as a model runs them, against what the memory can deliver.
//
// Every layer has pages of its own and all layers together are far larger than the L2 cache, so keys and values come from
// memory as they do in a model. A step is one recording: append one token to each sequence, attend, next layer.

import {
  bytesPerToken,
  type CacheDType,
  cacheFormats,
  type CacheSequence,
  PagedCache,
  type PageLayout,
} from '@limen/kv-cache';
import { type DType, empty, fillNormal, fromArray, record, type Tensor, trimMemory } from '@limen/tensor';

import { timeLaunches, scale } from '../lib/measure.js';
import type { KvContext } from './context.js';

/** What matters of a model: its layers and heads. */
export interface AttentionShape {
  readonly model: string;
  readonly layers: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headSize: number;
}

const shapes: Record<'full' | 'small', readonly AttentionShape[]> = {
  full: [
    { model: 'janus-pro-7b', layers: 30, heads: 32, keyValueHeads: 32, headSize: 128 },
    { model: 'glm-4v-9b', layers: 40, heads: 32, keyValueHeads: 2, headSize: 128 },
  ],
  small: [
    { model: 'small', layers: 2, heads: 4, keyValueHeads: 4, headSize: 32 },
    { model: 'small-grouped', layers: 2, heads: 8, keyValueHeads: 1, headSize: 32 },
  ],
};

/** Bytes of page memory over all layers: at least what makes caches useless, at most what leaves room. */
const workingSet = { full: { least: 4e9, most: 24e9 }, small: { least: 0, most: 1e8 } };

/** One figure of the table. */
interface AttentionCase {
  readonly shape: AttentionShape;
  readonly format: CacheDType;
  readonly layout: PageLayout;
  readonly batch: number;
  readonly context: number;
}

/** Measures every shape, format, layout, batch and context asked for. */
export async function benchAttention(context: KvContext): Promise<void> {
  for (const shape of shapes[context.size])
    for (const batch of context.batches)
      for (const tokens of context.contexts)
        for (const format of context.formats)
          for (const layout of context.layouts) {
            const one = { shape, format, layout, batch, context: tokens };
            await context.attempt(`kv-attention/${nameOf(one)}`, () => measureCase(one, context));
          }
}

function nameOf({ shape, format, layout, batch, context }: AttentionCase): string {
  return `${shape.model}/${format}/b${batch}/c${context}${layout === 'NHD' ? '' : `/${layout.toLowerCase()}`}`;
}

async function measureCase(one: AttentionCase, { device, size, runs, ceilings, add }: KvContext): Promise<void> {
  const { shape, format, layout, batch, context } = one;
  const { keyValueHeads, headSize, heads } = shape;
  const pageSize = 16;
  const pages = batch * Math.ceil(context / pageSize);
  const tokenBytes = bytesPerToken({ layers: 1, keyValueHeads, headSize, dtype: format });
  const layers = chooseLayers(shape.layers, pages * pageSize * tokenBytes, workingSet[size]);
  const dtype: DType = cacheFormats[format].scales === undefined ? cacheFormats[format].elementDType : 'bf16';

  trimMemory(device);
  using cache = PagedCache.create({ layers, keyValueHeads, headSize, pageSize, dtype: format, layout, pages, device });
  const sequences = growTogether(cache, batch, context);
  using pageTable = cache.pageTable(sequences);
  fillPages(cache, pageTable, context, dtype);

  using lengths = cache.lengths(sequences);
  using positions = fromArray(new Int32Array(batch).fill(context - 1), [batch, 1], { dtype: 'i32', device });
  using k = normal([batch, 1, keyValueHeads, headSize], dtype, device, 1);
  using v = normal([batch, 1, keyValueHeads, headSize], dtype, device, 2);
  using q = normal([batch, heads, headSize], dtype, device, 3);
  using out = empty([batch, heads, headSize], { dtype, device });
  using step = record(device, () => {
    for (let layer = 0; layer < layers; layer++) {
      cache.append(layer, { k, v, pageTable, positions });
      cache.attention(layer, { q, pageTable, lengths }, { out });
    }
  });
  const estimate = await timeLaunches(device, () => step.replay(), { runs: 1, calls: 2, warmUps: 1 });
  const calls = Math.min(1000, Math.max(3, Math.ceil(30 / estimate.median)));
  const sample = await timeLaunches(device, () => step.replay(), { runs, calls, warmUps: 1 });

  const microseconds = scale(sample, (milliseconds) => (1000 * milliseconds) / layers);
  const bytes = batch * context * tokenBytes;
  const ceiling = (await ceilings()).read.median;
  const rate = scale(microseconds, (time) => (bytes * 1e6) / time);
  const name = nameOf(one);
  const common = { rivals: [] } as const;
  add({
    id: `kv-attention/${name}`,
    unit: 'share',
    ...scale(rate, (value) => value / ceiling),
    floor: 1,
    ...common,
    note: `${layers} layers of ${(bytes / 1e6).toFixed(1)} MB`,
  });
  add({
    id: `kv-attention-rate/${name}`,
    unit: 'TB/s',
    ...scale(rate, (v) => v / 1e12),
    floor: ceiling / 1e12,
    ...common,
  });
  add({ id: `kv-attention-time/${name}`, unit: 'us', ...microseconds, floor: (bytes / ceiling) * 1e6, ...common });
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

/** Sequences that grew side by side: their pages lie interleaved, as after a long run of a server. */
export function growTogether(cache: PagedCache, batch: number, tokens: number): CacheSequence[] {
  const sequences = Array.from({ length: batch }, () => cache.allocateSequence(0));
  const { pageSize } = cache.shape;
  for (let done = 0; done < tokens; done += pageSize)
    for (const sequence of sequences) sequence.append(Math.min(pageSize, tokens - done));
  return sequences;
}

/** Writes random keys and values of `tokens` tokens for every row of the page table and every layer. */
export function fillPages(cache: PagedCache, pageTable: Tensor, tokens: number, dtype: DType): void {
  const { layers, keyValueHeads, headSize } = cache.shape;
  const { device } = cache;
  using k = normal([1, tokens, keyValueHeads, headSize], dtype, device, 4);
  using v = normal([1, tokens, keyValueHeads, headSize], dtype, device, 5);
  const every = Int32Array.from({ length: tokens }, (_, position) => position);
  using positions = fromArray(every, [1, tokens], { dtype: 'i32', device });
  for (let row = 0; row < pageTable.extent(0); row++) {
    using ofRow = pageTable.slice(0, row, row + 1);
    for (let layer = 0; layer < layers; layer++) cache.append(layer, { k, v, pageTable: ofRow, positions });
  }
}

function normal(shape: readonly number[], dtype: DType, device: string, seed: number): Tensor {
  const tensor = empty(shape, { dtype, device });
  fillNormal({ x: tensor }, { seed });
  return tensor;
}
