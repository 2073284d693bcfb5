import type { DType } from '@limen/tensor';
import { opCases } from '@limen/tensor/testing';

import { decodeFromPages } from './decode-from-pages.js';

/** Floats that every format of 16 bits holds exactly, so that references need not round. */
const exact = (count: number) => Array.from({ length: count }, (_, index) => ((index * 37) % 255) / 8 - 15);
const scaled: readonly DType[] = ['f8e4m3', 'i8', 'u8'];

/** Two sequences of 40 and 17 tokens of which one page is missing, in stored vectors of `width`. */
function ragged(stored: DType, heads: number, width: number, dtype: DType) {
  return {
    shapes: { pages: [9, 8, heads, width], scales: [9, 8, heads, stored === 'u8' ? 2 : 1], pageTable: [2, 5] },
    values: {
      pages: stored === 'u8' ? { low: 0, high: 256 } : { low: -100, high: 100 },
      scales: { low: 0.01, high: 0.1 },
      pageTable: [8, 1, 6, -1, 0, 5, 2, 7, 3, 4],
      lengths: [40, 17],
    },
    dtypes: [stored],
    inputDTypes: { scales: stored === 'u8' ? 'f16' : 'f32' } as const,
    attributes: { dtype },
  };
}

/** Whole sequences out of pages of 16. */
function whole(stored: DType) {
  const packed = stored === 'u8';
  return {
    shapes: { pages: [1024, 16, 32, packed ? 64 : 128], scales: [1024, 16, 32, packed ? 2 : 1], pageTable: [8, 128] },
    values: { pageTable: Array.from({ length: 1024 }, (_, index) => (index * 17) % 1024), lengths: 2048 },
    dtypes: [stored],
    inputDTypes: { scales: packed ? 'f16' : 'f32' } as const,
    attributes: { dtype: 'bf16' },
  };
}

const small = { pages: [2, 4, 1, 8], pageTable: [1, 1] };
const one = { pageTable: 0, lengths: 1 };
const floats: readonly DType[] = ['f32', 'f16', 'bf16'];

export default opCases(decodeFromPages, {
  test: [
    {
      shapes: { pages: [1, 1, 1, 1], pageTable: [1, 1] },
      values: { ...one, pages: exact(1) },
      dtypes: floats,
    },
    // Every format to every type: vectors that fill groups of lanes, leave lanes idle, or need the loop over elements.
    ...scaled.flatMap((stored) => [
      ragged(stored, 2, 64, 'bf16'),
      ragged(stored, 2, 128, 'f32'),
      ragged(stored, 3, 56, 'f16'),
      ragged(stored, 2, 11, 'f32'),
      ragged(stored, 2, 13, 'bf16'),
      ragged(stored, 1, 320, 'f32'),
    ]),
    // Floats, of another type and of the same; more tokens than the table has room for.
    ...(['f32', 'f16', 'bf16'] as const).map((dtype) => ({
      shapes: { pages: [5, 4, 2, 24], pageTable: [2, 3] },
      values: { pages: exact(960), pageTable: [4, 3, 0, 1, 2, -1], lengths: [11, 5] },
      attributes: { dtype, tokens: 14 },
      dtypes: floats,
    })),
    { shapes: { pages: [2, 4, 1, 8], pageTable: [0, 1] }, values: { pages: exact(64) }, dtypes: floats },
  ],
  rejects: [
    { shapes: { ...small, lengths: [2] }, values: one, throws: 'SHAPE_MISMATCH' },
    { shapes: small, values: one, attributes: { tokens: -1 }, throws: 'SHAPE_MISMATCH' },
    { shapes: { ...small, scales: [2, 4, 1, 1] }, values: one, throws: 'SHAPE_MISMATCH' },
    { shapes: small, values: one, dtypes: ['i8'], throws: 'SHAPE_MISMATCH' },
    {
      shapes: { ...small, scales: [2, 4, 1, 1] },
      values: { ...one, pages: 1 },
      dtypes: ['u8'],
      inputDTypes: { scales: 'f16' },
      throws: 'SHAPE_MISMATCH',
    },
    { shapes: small, values: { ...one, pages: 1 }, dtypes: ['i32'], throws: 'UNSUPPORTED_DTYPE' },
  ],
  bench: scaled.map(whole),
  bytesMoved: ({ inputBytes, outputBytes }) => inputBytes + outputBytes,
  // Results of 16 bits are compared with numbers that were not rounded.
  tolerance: { f32: 0, f16: 5e-4, bf16: 4e-3 },
});
