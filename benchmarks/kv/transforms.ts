// Layout and format changes against a plain copy: every byte that must be read and written, over the time they take.

import {
  type CacheDType,
  contiguousToPages,
  convertPages,
  decodeFromPages,
  encodeToPages,
  type LayerPages,
  PageMemory,
  type PageLayout,
  pagesToContiguous,
  swapPageLayout,
  swapPageLayoutInPlace,
  transposeHeads,
} from '@limen/kv-cache';
import { copy, empty, fillNormal, fromArray, trimMemory, zeros } from '@limen/tensor';

import { scale, timeLaunches } from '../lib/measure.js';
import type { KvContext } from './context.js';
import { seededRandom } from './random.js';

/** The keys of one layer; large enough that caches do not help. */
interface TransformShape {
  readonly model: string;
  readonly batch: number;
  readonly tokens: number;
  readonly heads: number;
  readonly headSize: number;
}

const shapes: Record<'full' | 'small', readonly TransformShape[]> = {
  full: [
    { model: 'janus-pro-7b', batch: 64, tokens: 2048, heads: 32, headSize: 128 },
    { model: 'glm-4v-9b', batch: 512, tokens: 2048, heads: 2, headSize: 128 },
  ],
  small: [{ model: 'small', batch: 2, tokens: 48, heads: 2, headSize: 16 }],
};

/** Calls timed together: tens of milliseconds of work, beside which the wait for the device at their end is nothing. */
const calls = { full: 100, small: 1 };
/** Elements of the i32 tensors that a plain copy moves. */
const copiedElements = { full: 2 ** 29, small: 2 ** 16 };

const pageSize = 16;
const scaledFormats: readonly CacheDType[] = ['fp8', 'int8', 'int4'];

/** Measures every transform of bf16 keys, and the conversions between bf16 and the formats with scales. */
export async function benchTransforms(context: KvContext): Promise<void> {
  const ceiling = await measureCopy(context);
  trimMemory(context.device);
  for (const shape of context.size === 'full' ? shapes.full : shapes.small) {
    await context.attempt(`kv-transform/${shape.model}`, () => measureShape(shape, ceiling, context));
    trimMemory(context.device);
  }
}

/** Bytes a second that a plain copy reads and writes, timed as the transforms are. */
async function measureCopy({ device, size, runs, add }: KvContext): Promise<number> {
  const shape = [copiedElements[size]];
  using x = zeros(shape, { dtype: 'i32', device });
  using y = empty(shape, { dtype: 'i32', device });
  const sample = await timeLaunches(device, () => copy({ x }, { out: y }), { runs, calls: calls[size] });
  const rate = scale(sample, (milliseconds) => (1000 * 2 * x.byteLength) / milliseconds);
  const terabytes = scale(rate, (value) => value / 1e12);
  add({ id: 'kv-transform-rate/copy', unit: 'TB/s', ...terabytes, floor: null, rivals: [] });
  return rate.median;
}

async function measureShape(shape: TransformShape, ceiling: number, context: KvContext): Promise<void> {
  const { model, batch, tokens, heads, headSize } = shape;
  const { device, runs, add, attempt } = context;
  const dtype = 'bf16';
  const count = (batch * tokens) / pageSize;

  using x = empty([batch, tokens, heads, headSize], { dtype, device });
  fillNormal({ x }, { seed: 1 });
  using pageTable = fromArray(shuffled(count), [batch, tokens / pageSize], { dtype: 'i32', device });
  using lengths = fromArray(new Int32Array(batch).fill(tokens), [batch], { dtype: 'i32', device });
  const memoryOf = (format: CacheDType, layout: PageLayout = 'NHD') =>
    new PageMemory({
      layers: 1,
      keyValueHeads: heads,
      headSize,
      pageSize,
      pages: count,
      dtype: format,
      layout,
      device,
    });

  const measure = (name: string, format: string, bytes: number, launch: () => void) =>
    attempt(`kv-transform/${name}/${format}/${model}`, async () => {
      const sample = await timeLaunches(device, launch, { runs, calls: calls[context.size] });
      const rate = scale(sample, (milliseconds) => (1000 * bytes) / milliseconds);
      const share = scale(rate, (value) => value / ceiling);
      const varies = `${name}/${format}/${model}`;
      const note = `${(bytes / 1e9).toFixed(2)} GB`;
      add({ id: `kv-transform/${varies}`, unit: 'share', ...share, floor: 1, rivals: [], note });
      const terabytes = scale(rate, (value) => value / 1e12);
      add({ id: `kv-transform-rate/${varies}`, unit: 'TB/s', ...terabytes, floor: ceiling / 1e12, rivals: [] });
    });

  using memory = memoryOf(dtype);
  const { keys: pages } = memory.layer(0);
  {
    using y = empty([batch, heads, tokens, headSize], { dtype, device });
    await measure('transpose-heads', dtype, 2 * x.byteLength, () => transposeHeads({ x }, { out: y }));
  }
  {
    using y = empty([batch, tokens, heads, headSize], { dtype, device });
    const paged = { pages, pageTable, lengths };
    await measure('contiguous-to-pages', dtype, 2 * x.byteLength, () => contiguousToPages({ x, ...paged }));
    await measure('pages-to-contiguous', dtype, 2 * x.byteLength, () => pagesToContiguous(paged, { tokens, out: y }));
  }
  {
    using y = empty([count, heads, pageSize, headSize], { dtype, device });
    await measure('swap-page-layout', dtype, 2 * x.byteLength, () => swapPageLayout({ x: pages }, { out: y }));
    await measure('swap-page-layout-in-place', dtype, 2 * x.byteLength, () => swapPageLayoutInPlace({ pages: y }));
  }
  for (const format of scaledFormats) {
    using packed = memoryOf(format);
    const layer = packed.layer(0);
    const bytes = x.byteLength + bytesOfKeys(layer);
    const { keys, keyScales: scales } = layer;
    using y = empty([batch, tokens, heads, headSize], { dtype, device });
    const table = { pageTable, lengths };
    await measure('encode-to-pages', format, bytes, () => encodeToPages({ x, pages: keys, scales, ...table }));
    await measure('decode-from-pages', format, bytes, () =>
      decodeFromPages({ pages: keys, scales, ...table }, { dtype, tokens, out: y }),
    );
    await measure('convert-pages', `bf16-${format}`, bytes, () => convertPages({ source: pages, pages: keys, scales }));
  }
}

function bytesOfKeys({ keys, keyScales }: LayerPages): number {
  return keys.byteLength + (keyScales?.byteLength ?? 0);
}

/** Page numbers in random order, as after a long run. */
function shuffled(count: number): Int32Array {
  const random = seededRandom(11);
  const numbers = Int32Array.from({ length: count }, (_, index) => index);
  for (let last = count - 1; last > 0; last--) {
    const chosen = Math.floor(random() * (last + 1));
    [numbers[last], numbers[chosen]] = [numbers[chosen] ?? 0, numbers[last] ?? 0];
  }
  return numbers;
}
