import { opCases } from '@limen/tensor/testing';

import { encodeToPages } from './encode-to-pages.js';

/** Floats that every format of 16 bits holds exactly, so that references need not round. */
const exact = (count: number) => Array.from({ length: count }, (_, index) => ((index * 37) % 255) / 8 - 15);
const fp8 = { pages: 'f8e4m3', scales: 'f32' } as const;
const int8 = { pages: 'i8', scales: 'f32' } as const;
const int4 = { pages: 'u8', scales: 'f16' } as const;

/** Two sequences of 40 and 17 tokens of which one page is missing, in vectors of `size`. */
function ragged(inputDTypes: typeof fp8 | typeof int8 | typeof int4, heads: number, size: number) {
  const packed = inputDTypes.pages === 'u8';
  const pages = [9, 8, heads, packed ? size / 2 : size];
  return {
    shapes: { x: [2, 40, heads, size], pages, scales: [9, 8, heads, packed ? 2 : 1], pageTable: [2, 5] },
    values: { pages: { low: 0, high: 100 }, pageTable: [8, 1, 6, -1, 0, 5, 2, 7, 3, 4], lengths: [40, 17] },
    inputDTypes,
  };
}

/** Whole sequences into pages of 16. */
function whole(inputDTypes: typeof fp8 | typeof int8 | typeof int4) {
  const packed = inputDTypes.pages === 'u8';
  const pages = [1024, 16, 32, packed ? 64 : 128];
  return {
    shapes: { x: [8, 2048, 32, 128], pages, scales: [1024, 16, 32, packed ? 2 : 1], pageTable: [8, 128] },
    values: { pageTable: Array.from({ length: 1024 }, (_, index) => (index * 17) % 1024), lengths: 2048 },
    inputDTypes,
  };
}

const small = { x: [1, 4, 1, 8], pages: [2, 4, 1, 8], pageTable: [1, 1] };
const one = { pageTable: 0, lengths: 1 };

export default opCases(encodeToPages, {
  test: [
    {
      shapes: { x: [1, 1, 1, 1], pages: [1, 1, 1, 1], pageTable: [1, 1] },
      values: { ...one, x: exact(1) },
      inputDTypes: { pages: 'f16' },
    },
    // Every format: vectors that fill groups of lanes, leave lanes idle, or need the loop over single elements.
    ...[fp8, int8, int4].flatMap((types) => [
      ragged(types, 2, 128),
      ragged(types, 3, 112),
      ragged(types, 2, 256),
      ragged(types, 2, 22),
      ragged(types, 1, 320),
      ragged(types, 1, 520),
      ragged(types, 1, 2),
    ]),
    // A vector of zeros, and one of equal values.
    { ...ragged(int8, 1, 16), values: { ...ragged(int8, 1, 16).values, x: 0 } },
    { ...ragged(fp8, 1, 16), values: { ...ragged(fp8, 1, 16).values, x: 0 } },
    { ...ragged(int4, 1, 16), values: { ...ragged(int4, 1, 16).values, x: 2.5 } },
    // Values beyond f16, where the lowest one saturates and the others must be clamped; and far from 0 for their range.
    {
      ...ragged(int4, 2, 128),
      values: { ...ragged(int4, 2, 128).values, x: { low: 7e4, high: 9e4 } },
      dtypes: ['f32'],
    },
    { ...ragged(int4, 2, 128), values: { ...ragged(int4, 2, 128).values, x: { low: 1e3, high: 1e3 + 1 } } },
    // Vectors that end in the middle of a run of two eights.
    ...[fp8, int8, int4].map((types) => ragged(types, 3, 40)),
    // Floats of another type, and of the same.
    {
      shapes: { x: [2, 9, 2, 24], pages: [5, 4, 2, 24], pageTable: [2, 3] },
      values: { x: exact(864), pages: 1, pageTable: [4, 3, 0, 1, 2, -1], lengths: [9, 5] },
      inputDTypes: { pages: 'bf16' },
    },
    {
      shapes: { x: [2, 9, 2, 13], pages: [5, 4, 2, 13], pageTable: [2, 3] },
      values: { x: exact(468), pages: 1, pageTable: [4, 3, 0, 1, 2, -1], lengths: [9, 5] },
      inputDTypes: { pages: 'f32' },
    },
    { shapes: { x: [0, 4, 1, 8], pages: [2, 4, 1, 8], scales: [2, 4, 1, 1], pageTable: [0, 1] }, values: one },
  ],
  rejects: [
    { shapes: { ...small, pages: [2, 4, 2, 8] }, values: one, inputDTypes: { pages: 'f32' }, throws: 'SHAPE_MISMATCH' },
    {
      shapes: { ...small, pages: [2, 4, 1, 16] },
      values: one,
      inputDTypes: { pages: 'f32' },
      throws: 'SHAPE_MISMATCH',
    },
    { shapes: small, values: one, inputDTypes: { pages: 'i8' }, throws: 'SHAPE_MISMATCH' },
    { shapes: { ...small, scales: [2, 4, 1, 2] }, values: one, inputDTypes: fp8, throws: 'SHAPE_MISMATCH' },
    {
      shapes: { ...small, scales: [2, 4, 1, 1] },
      values: one,
      inputDTypes: { pages: 'bf16' },
      throws: 'SHAPE_MISMATCH',
    },
    {
      shapes: { ...small, scales: [2, 4, 1, 1] },
      values: one,
      inputDTypes: { pages: 'i8', scales: 'f16' },
      throws: 'SHAPE_MISMATCH',
    },
    { shapes: { ...small, scales: [2, 4, 1, 2] }, values: one, inputDTypes: int4, throws: 'SHAPE_MISMATCH' },
    { shapes: small, values: one, inputDTypes: { pages: 'i32' }, throws: 'UNSUPPORTED_DTYPE' },
  ],
  bench: [whole(fp8), whole(int8), whole(int4)],
  bytesMoved: ({ shapes: { x = [], pages = [], scales = [] } }) => {
    const count = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1);
    return 2 * count(x) + count(pages) + (scales.at(-1) === 2 ? 2 : 4) * count(scales);
  },
  tolerance: { f32: 0, f16: 0, bf16: 0 },
});
