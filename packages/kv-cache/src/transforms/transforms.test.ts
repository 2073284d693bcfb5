import { fromArray, InvalidArgumentError, read, type Tensor } from '@limen/tensor';
import { SeededRandom } from '@limen/tensor/testing';
import { describe, expect, test } from 'vitest';

import { CacheFullError } from '../errors/cache-full-error.js';
import { PagedCache } from '../paged-cache.js';
import { PageMemory } from '../page-memory.js';
import { type CacheDType, cacheFormats, type PageLayout } from '../storage-formats.js';
import { swapPageLayoutInPlace } from '../ops/swap-page-layout-in-place.js';
import { exportContiguous, importContiguous } from './contiguous-caches.js';
import { convertMemory } from './convert-memory.js';
import { fromPages } from './from-pages.js';
import { storedPages, type TokenOrder } from './token-order.js';
import { toPages } from './to-pages.js';

const [heads, headSize, tokens] = [3, 8, 11];
const lengths = [11, 0, 6];
const formats = Object.keys(cacheFormats) as CacheDType[];
const layouts: readonly PageLayout[] = ['NHD', 'HND'];
const orders: readonly TokenOrder[] = ['BSKD', 'BKSD'];

function makeCache(dtype: CacheDType, layout: PageLayout = 'NHD', pages = 8) {
  return PagedCache.create({ layers: 2, keyValueHeads: heads, headSize, pageSize: 4, pages, dtype, layout });
}

/** A random cache of one layer in `order`, and its value at (row, token, head, element). */
function randomLayer(order: TokenOrder, seed: number) {
  const random = new SeededRandom(seed);
  const count = lengths.length * tokens * heads * headSize;
  const numbers = Array.from({ length: count }, () => random.integer(-7, 9));
  const shape = order === 'BSKD' ? [3, tokens, heads, headSize] : [3, heads, tokens, headSize];
  const indexOf = indexIn(order);
  return { x: fromArray(numbers, shape), at: (...place: Place) => numbers[indexOf(...place)] ?? NaN };
}

type Place = [row: number, token: number, head: number, element: number];

function indexIn(order: TokenOrder) {
  return (...[row, token, head, element]: Place) =>
    order === 'BSKD'
      ? ((row * tokens + token) * heads + head) * headSize + element
      : ((row * heads + head) * tokens + token) * headSize + element;
}

/** Largest difference between a contiguous tensor and what was stored; zeros are expected past the lengths. */
async function worstError(y: Tensor, order: TokenOrder, at: (...place: Place) => number): Promise<number> {
  const values = await read(y);
  const indexOf = indexIn(order);
  let worst = 0;
  for (const [row, length] of lengths.entries()) {
    for (let token = 0; token < tokens; token++) {
      for (let head = 0; head < heads; head++) {
        for (let element = 0; element < headSize; element++) {
          const expected = token < length ? at(row, token, head, element) : 0;
          worst = Math.max(worst, Math.abs((values[indexOf(row, token, head, element)] ?? NaN) - expected));
        }
      }
    }
  }
  return worst;
}

/** Whole numbers up to 8 in magnitude: exact as floats, to half a step of the vector's range otherwise. */
const allowed: Readonly<Record<CacheDType, number>> = { f32: 0, f16: 0, bf16: 0, fp8: 0.5, int8: 0.04, int4: 0.54 };

describe.each(formats)('a contiguous cache goes in and comes out of %s pages', (dtype) => {
  test.each(layouts.flatMap((layout) => orders.map((order) => [layout, order] as const)))(
    '%s, %s',
    async (layout, order) => {
      using cache = makeCache(dtype, layout);
      const layers = [1, 2, 3, 4].map((seed) => randomLayer(order, seed));
      const [k0, v0, k1, v1] = layers as [Layer, Layer, Layer, Layer];
      const inputs = [
        { k: k0.x, v: v0.x },
        { k: k1.x, v: v1.x },
      ];
      const sequences = importContiguous(cache, { layers: inputs, lengths }, { order });
      expect(sequences.map(({ length }) => length)).toEqual(lengths);
      for (const wanted of orders) {
        const { k, v } = exportContiguous(cache, 1, sequences, { order: wanted, dtype: 'f32' });
        expect(await worstError(k, wanted, k1.at)).toBeLessThanOrEqual(allowed[dtype]);
        expect(await worstError(v, wanted, v1.at)).toBeLessThanOrEqual(allowed[dtype]);
        k.dispose();
        v.dispose();
      }
      for (const { x } of layers) x.dispose();
    },
  );
});

type Layer = ReturnType<typeof randomLayer>;

test('fromPages keeps the type of float pages, and gives f32 for the others', () => {
  for (const [dtype, expected] of [
    ['bf16', 'bf16'],
    ['int4', 'f32'],
  ] as const) {
    using cache = makeCache(dtype);
    using sequence = cache.allocateSequence(5);
    const { k, v } = exportContiguous(cache, 0, [sequence]);
    expect([k.dtype, k.shape]).toEqual([expected, [1, 5, heads, headSize]]);
    k.dispose();
    v.dispose();
  }
});

test('toPages skips tokens without a page, and leaves other slots as they are', async () => {
  using cache = makeCache('f32');
  const { keys } = storedPages(cache.layer(0));
  using x = fromArray(new Float32Array(1 * 6 * heads * headSize).fill(5), [1, 6, heads, headSize]);
  using pageTable = fromArray([-1, 3], [1, 2], { dtype: 'i32' });
  using valid = fromArray([6], [1], { dtype: 'i32' });
  toPages({ x, pages: keys, pageTable, lengths: valid });
  using written = cache.layer(0).keys.reshape(8 * 4, heads * headSize);
  const values = await read(written);
  const slots = Array.from({ length: 32 }, (_, slot) => slot).filter((slot) => values[slot * heads * headSize] === 5);
  expect(slots).toEqual([12, 13]);
  using y = fromPages({ pages: keys, pageTable, lengths: valid }, { tokens: 6 });
  const gathered = await read(y);
  expect([0, 3, 4, 5].map((token) => gathered[token * heads * headSize])).toEqual([0, 0, 5, 5]);
});

test('an import that does not fit leaves no sequence behind', () => {
  using cache = makeCache('f32', 'NHD', 3);
  const { x } = randomLayer('BSKD', 1);
  const layers = [
    { k: x, v: x },
    { k: x, v: x },
  ];
  expect(() => importContiguous(cache, { layers, lengths })).toThrow(CacheFullError);
  expect(() => importContiguous(cache, { layers, lengths: [12] })).toThrow(InvalidArgumentError);
  expect(() => importContiguous(cache, { layers: layers.slice(1), lengths: [1] })).toThrow(InvalidArgumentError);
  expect(() => importContiguous(cache, { layers, lengths: [1, 1] })).toThrow(/expected/);
  expect(cache.freePages).toBe(3);
  x.dispose();
});

test('a memory converts to every format and layout, and back to what it held', async () => {
  const sizes = { layers: 2, keyValueHeads: heads, headSize, pageSize: 4, pages: 5, device: 'cpu' };
  using source = new PageMemory({ ...sizes, dtype: 'f32', layout: 'NHD' });
  const random = new SeededRandom(3);
  const numbers = Float32Array.from({ length: 5 * 4 * heads * headSize }, () => random.integer(-7, 9));
  using filling = fromArray(numbers, [5, 4, heads, headSize]);
  using pageTable = fromArray([0, 1, 2, 3, 4], [5, 1], { dtype: 'i32' });
  using lengthsOfPages = fromArray([4, 4, 4, 4, 4], [5], { dtype: 'i32' });
  toPages({ x: filling, pages: storedPages(source.layer(1)).values, pageTable, lengths: lengthsOfPages });
  for (const dtype of formats) {
    for (const layout of layouts) {
      using middle = new PageMemory({ ...sizes, dtype, layout });
      using back = new PageMemory({ ...sizes, dtype: 'f32', layout: 'HND' });
      convertMemory(source, middle);
      convertMemory(middle, back);
      using result = fromPages({ pages: storedPages(back.layer(1)).values, pageTable, lengths: lengthsOfPages });
      const values = await read(result);
      const worst = Math.max(...numbers.map((value, index) => Math.abs(value - (values[index] ?? NaN))));
      expect(worst).toBeLessThanOrEqual(allowed[dtype]);
    }
  }
  using smaller = new PageMemory({ ...sizes, pages: 4, dtype: 'f32', layout: 'NHD' });
  expect(() => convertMemory(source, smaller)).toThrow(/pages/);
});

test('memory turned in place is memory of the other layout', async () => {
  const sizes = {
    layers: 2,
    keyValueHeads: heads,
    headSize,
    pageSize: 4,
    pages: 5,
    dtype: 'int4',
    device: 'cpu',
  } as const;
  using source = new PageMemory({ ...sizes, layout: 'NHD' });
  const random = new SeededRandom(4);
  using x = fromArray(random.normals(5 * 4 * heads * headSize), [5, 4, heads, headSize]);
  using pageTable = fromArray([4, 1, 2, 3, 0], [5, 1], { dtype: 'i32' });
  using valid = fromArray([4, 3, 4, 4, 1], [5], { dtype: 'i32' });
  toPages({ x, pages: storedPages(source.layer(0)).keys, pageTable, lengths: valid });
  using other = new PageMemory({ ...sizes, layout: 'HND' });
  convertMemory(source, other);
  for (const part of source.parts) swapPageLayoutInPlace({ pages: part });
  for (const [index, part] of source.parts.entries()) {
    expect(await read(part)).toEqual(await read(other.parts[index] as Tensor));
  }
});
