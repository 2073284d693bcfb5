// A decode step of several layers over caches with the same contents: by append and attention, or by attend.

import { createHash } from 'node:crypto';

import { empty, fillNormal, fromArray, isDType, read, readBytes, record, type Tensor } from '@limen/tensor';

import type { LayerPages } from '../page-memory.js';
import { PagedCache } from '../paged-cache.js';
import type { CacheDType, PageLayout } from '../storage-formats.js';

const rotation = { rotary: 'half', base: 500 } as const;

/** What a step runs over. */
export interface StepShape {
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headSize: number;
  readonly dtype: CacheDType;
  readonly layout: PageLayout;
}

function normal(shape: readonly number[], dtype: CacheDType, device: string, seed: number): Tensor {
  const tensor = empty(shape, { dtype: isDType(dtype) ? dtype : 'bf16', device });
  fillNormal({ x: tensor }, { seed });
  return tensor;
}

/**
 * What a layer stores, as a digest of each of its tensors: two are compared at once, where an assertion on millions of
 * elements takes seconds.
 */
async function contentsOf({ keys, values, keyScales, valueScales }: LayerPages): Promise<Record<string, string>> {
  const digests: Record<string, string> = {};
  for (const [name, tensor] of Object.entries({ keys, values, keyScales, valueScales })) {
    if (tensor === undefined) continue;
    digests[name] = createHash('sha256')
      .update(await readBytes(tensor))
      .digest('hex');
  }
  return digests;
}

/**
 * What the newest token of every sequence attends to in every layer, and digests of everything stored afterwards. The
 * third sequence stores nothing.
 *
 * @param options.fused - by `attend`, once and then recorded and replayed as a model does; else by `append` and `attention`
 */
export async function runStep(
  { heads, ...shape }: StepShape,
  { device, lengths, layers, fused }: { device: string; lengths: readonly number[]; layers: number; fused: boolean },
) {
  const pages = lengths.reduce((sum, length) => sum + Math.ceil(length / 16), 0);
  using cache = PagedCache.create({ ...shape, layers, pageSize: 16, pages, device });
  const sequences = lengths.map((length) => cache.allocateSequence(length));
  const vectors = [shape.keyValueHeads, shape.headSize] as const;
  for (const [row, sequence] of sequences.entries()) {
    using table = cache.pageTable([sequence]);
    const places = Array.from({ length: sequence.length }, (_, index) => index);
    using positions = fromArray(places, [1, places.length], { dtype: 'i32', device });
    for (let layer = 0; layer < layers; layer++) {
      using k = normal([1, places.length, ...vectors], shape.dtype, device, 1000 + row * layers + layer);
      using v = normal([1, places.length, ...vectors], shape.dtype, device, 2000 + row * layers + layer);
      cache.append(layer, { k, v, pageTable: table, positions });
    }
  }
  using pageTable = cache.pageTable(sequences);
  using lengthsOnDevice = cache.lengths(sequences);
  const batch = sequences.length;
  const places = lengths.map((length, row) => (row === 2 ? -1 : length - 1));
  using positions = fromArray(places, [batch, 1], { dtype: 'i32', device });
  using rotaryPositions = fromArray(
    lengths.map((length, row) => length + 7 * row),
    [batch, 1],
    { dtype: 'i32', device },
  );
  using k = normal([batch, 1, ...vectors], shape.dtype, device, 1);
  using v = normal([batch, 1, ...vectors], shape.dtype, device, 2);
  using out = empty([layers, batch, heads, shape.headSize], {
    dtype: isDType(shape.dtype) ? shape.dtype : 'bf16',
    device,
  });
  const step = () => {
    for (let layer = 0; layer < layers; layer++) {
      using ofLayer = out.slice(0, layer, layer + 1);
      using y = ofLayer.squeeze(0);
      using q = normal([batch, 1, heads, shape.headSize], shape.dtype, device, 3);
      using queries = q.squeeze(1);
      if (fused) {
        using keys = k.squeeze(1);
        using values = v.squeeze(1);
        using slots = positions.squeeze(1);
        using angles = rotaryPositions.squeeze(1);
        const tables = { pageTable, lengths: lengthsOnDevice, positions: slots, rotaryPositions: angles };
        cache.attend(layer, { q: queries, k: keys, v: values, ...tables }, { ...rotation, settledCache: true, out: y });
      } else {
        cache.append(layer, { k, v, pageTable, positions, q, rotaryPositions }, rotation);
        cache.attention(layer, { q: queries, pageTable, lengths: lengthsOnDevice }, { out: y });
      }
    }
  };
  if (fused) {
    step();
    // As a model runs it: recorded, each layer overlapping the one before.
    using recording = record(device, step);
    for (let replay = 0; replay < 3; replay++) recording.replay();
  } else {
    step();
  }
  const attended = await read(out);
  const stored = await Promise.all(Array.from({ length: layers }, (_, layer) => contentsOf(cache.layer(layer))));
  return { attended, stored };
}
