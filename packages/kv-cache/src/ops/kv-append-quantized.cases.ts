import type { DType } from '@limen/tensor';
import { opCases, type OpCase } from '@limen/tensor/testing';

import { kvAppendQuantized } from './kv-append-quantized.js';

type Format = 'fp8' | 'int8' | 'int4';
const formats: readonly Format[] = ['int8', 'fp8', 'int4'];

/** Types of pages and scales of a format. */
function typesOf(format: Format): Record<string, DType> {
  const elements = { fp8: 'f8e4m3', int8: 'i8', int4: 'u8' } as const;
  const scales = format === 'int4' ? 'f16' : 'f32';
  return { keyPages: elements[format], valuePages: elements[format], keyScales: scales, valueScales: scales };
}

interface Sizes {
  readonly k: readonly [batches: number, tokens: number, heads: number, headSize: number];
  readonly pool: readonly [pages: number, pageSize: number];
  readonly columns: number;
}

function stored(format: Format, { k, pool, columns }: Sizes, { shapes, values, ...rest }: Partial<OpCase>): OpCase {
  const [batches, , heads, headSize] = k;
  const scales = [...pool, heads, format === 'int4' ? 2 : 1];
  return {
    shapes: {
      k,
      keyPages: [...pool, heads, format === 'int4' ? headSize / 2 : headSize],
      keyScales: scales,
      valueScales: scales,
      pageTable: [batches, columns],
      ...shapes,
    },
    values: {
      ...(format === 'fp8' ? {} : { keyPages: { low: 0, high: 100 }, valuePages: { low: 0, high: 100 } }),
      ...values,
    },
    inputDTypes: typesOf(format),
    ...rest,
  };
}

const inEach = (sizes: Sizes, rest: Partial<OpCase>) => formats.map((format) => stored(format, sizes, rest));
const count = (length: number, first = 0) => Array.from({ length }, (_, index) => index + first);

export default opCases(kvAppendQuantized, {
  test: [
    stored('int8', { k: [1, 1, 1, 1], pool: [1, 1], columns: 1 }, { values: { pageTable: 0, positions: 0 } }),
    // Ragged heads; a skipped token; pages out of order; a page that does not exist.
    ...inEach(
      { k: [2, 3, 2, 10], pool: [5, 4], columns: 2 },
      { values: { pageTable: [3, 1, 0, 9], positions: [3, 4, 5, 0, -1, 7] } },
    ),
    ...inEach(
      { k: [3, 1, 4, 128], pool: [6, 16], columns: 2 },
      { values: { pageTable: [5, 0, 1, 2, 4, 3], positions: [0, 31, 16] } },
    ),
    ...inEach(
      { k: [1, 20, 2, 64], pool: [4, 8], columns: 4 },
      { values: { pageTable: [2, 3, 0, 1], positions: count(20, 5) } },
    ),
    ...inEach({ k: [1, 2, 1, 256], pool: [2, 16], columns: 1 }, { values: { pageTable: [1], positions: [3, 4] } }),
    // Vectors of zeros have no scale.
    ...inEach(
      { k: [1, 2, 1, 32], pool: [2, 16], columns: 1 },
      { values: { k: 0, v: 0.75, pageTable: [1], positions: [3, 4] } },
    ),
    // Rotated first. In f32 alone: one rounding of a channel more or less would be one step of its stored value.
    ...inEach(
      { k: [2, 1, 2, 64], pool: [3, 16], columns: 1 },
      {
        shapes: { q: [2, 1, 4, 64] },
        attributes: { rotary: 'half' },
        values: { pageTable: [2, 0], positions: [7, 11] },
        dtypes: ['f32'],
      },
    ),
    stored('int8', { k: [0, 1, 1, 8], pool: [2, 2], columns: 1 }, {}),
  ],
  rejects: [
    {
      ...stored('int8', { k: [1, 1, 2, 8], pool: [2, 2], columns: 1 }, { values: { pageTable: 0, positions: 0 } }),
      shapes: {
        k: [1, 1, 2, 8],
        keyPages: [2, 2, 1, 8],
        keyScales: [2, 2, 1, 1],
        valueScales: [2, 2, 1, 1],
        pageTable: [1, 1],
      },
      throws: 'SHAPE_MISMATCH',
    },
    {
      ...stored('int4', { k: [1, 1, 1, 8], pool: [2, 2], columns: 1 }, { values: { pageTable: 0, positions: 0 } }),
      shapes: {
        k: [1, 1, 1, 8],
        keyPages: [2, 2, 1, 8],
        keyScales: [2, 2, 1, 2],
        valueScales: [2, 2, 1, 2],
        pageTable: [1, 1],
      },
      throws: 'SHAPE_MISMATCH',
    },
    {
      ...stored('int8', { k: [1, 1, 1, 8], pool: [2, 2], columns: 1 }, { values: { pageTable: 0, positions: 0 } }),
      inputDTypes: { ...typesOf('int8'), positions: 'f32' },
      throws: 'UNSUPPORTED_DTYPE',
    },
  ],
  bench: formats.map((format) => ({
    ...stored(
      format,
      { k: [64, 1, 32, 128], pool: [64, 16], columns: 1 },
      { values: { pageTable: count(64), positions: 3 } },
    ),
    dtypes: ['bf16'],
  })),
  // 2 bytes read, about one written.
  bytesMoved: ({ shapes: { k = [] } }) => 3 * 2 * k.reduce((product, size) => product * size, 1),
  // Elements are equal; rotated queries and keys (f32) may differ in the last bits, and scales with them.
  tolerance: { f32: 1e-6, f16: 0, bf16: 0 },
});
