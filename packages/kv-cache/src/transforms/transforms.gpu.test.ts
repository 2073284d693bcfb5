// The transforms on a GPU against the CPU, in every format, layout and order of axes: the views that the op suite, which
// places tensors row by row, does not make. Both sides give the same bits.

import { fromArray, readBytes } from '@limen/tensor';
import { cudaUnavailable, SeededRandom } from '@limen/tensor/testing';
import { describe, expect, test } from 'vitest';

import { PagedCache } from '../paged-cache.js';
import { PageMemory } from '../page-memory.js';
import { swapPageLayoutInPlace } from '../ops/swap-page-layout-in-place.js';
import { type CacheDType, cacheFormats, type PageLayout } from '../storage-formats.js';
import { exportContiguous, importContiguous } from './contiguous-caches.js';
import { convertMemory } from './convert-memory.js';
import type { TokenOrder } from './token-order.js';

const reason = cudaUnavailable();
if (reason !== undefined) console.log(`skipped: ${reason}`);

const [tokens, heads] = [77, 3];
const lengths = [77, 0, 33];
const formats = Object.keys(cacheFormats) as CacheDType[];
const layouts: readonly PageLayout[] = ['NHD', 'HND'];
const orders: readonly TokenOrder[] = ['BSKD', 'BKSD'];

/** What comes out of pages on a device, for keys drawn from one seed: memory as it lies, then the export. */
async function passThrough(device: string, dtype: CacheDType, layout: PageLayout, order: TokenOrder, headSize: number) {
  const shape = order === 'BSKD' ? [3, tokens, heads, headSize] : [3, heads, tokens, headSize];
  const numbers = new SeededRandom(5).normals(3 * tokens * heads * headSize);
  using x = fromArray(numbers, shape, { dtype: 'bf16', device });
  const options = { layers: 1, keyValueHeads: heads, headSize, pageSize: 16, pages: 9, dtype, layout, device };
  using cache = PagedCache.create(options);
  const sequences = importContiguous(cache, { layers: [{ k: x, v: x }], lengths }, { order });
  const { k, v } = exportContiguous(cache, 0, sequences, { order, dtype: 'bf16' });
  const bits = [];
  for (const part of cache.memory.parts) bits.push(await readBytes(part));
  bits.push(await readBytes(k), await readBytes(v));
  k.dispose();
  v.dispose();
  using other = new PageMemory({ ...cache.memory.options, dtype: 'int4', layout: layout === 'NHD' ? 'HND' : 'NHD' });
  convertMemory(cache.memory, other);
  for (const part of other.parts) {
    swapPageLayoutInPlace({ pages: part });
    bits.push(await readBytes(part));
  }
  return bits;
}

describe.skipIf(reason !== undefined)('transforms', () => {
  for (const dtype of formats) {
    for (const layout of layouts) {
      for (const order of orders) {
        test.each([128, 24, 6])(`${dtype} · ${layout} · ${order} · head size %i`, async (headSize) => {
          const expected = await passThrough('cpu', dtype, layout, order, headSize);
          const actual = await passThrough('cuda:0', dtype, layout, order, headSize);
          expect(actual.length).toBe(expected.length);
          const same = actual.map((bytes, part) => Buffer.compare(bytes, expected[part] ?? new Uint8Array()) === 0);
          expect(same).not.toContain(false);
        });
      }
    }
  }
});
