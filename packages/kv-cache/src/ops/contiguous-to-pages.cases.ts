import { opCases } from '@limen/tensor/testing';

import { contiguousToPages } from './contiguous-to-pages.js';

const numbers = { low: 0, high: 100 };
const values = { x: numbers, pages: numbers };

/** Whole sequences of `tokens` tokens into pages of 16, in an order of pages that jumps. */
function whole(batch: number, tokens: number, heads: number) {
  const count = (batch * tokens) / 16;
  return {
    shapes: { x: [batch, tokens, heads, 128], pages: [count, 16, heads, 128], pageTable: [batch, tokens / 16] },
    values: { pageTable: Array.from({ length: count }, (_, index) => (index * 17) % count), lengths: tokens },
    dtypes: ['bf16'] as const,
  };
}

export default opCases(contiguousToPages, {
  test: [
    {
      shapes: { x: [1, 1, 1, 1], pages: [1, 1, 1, 1], pageTable: [1, 1] },
      values: { ...values, pageTable: 0, lengths: 1 },
    },
    // A page size that is no power of two, ragged vectors, an empty sequence, a page that is missing.
    {
      shapes: { x: [3, 13, 2, 11], pages: [8, 5, 2, 11], pageTable: [3, 3] },
      values: { ...values, pageTable: [7, 2, 4, 0, 1, 3, 5, -1, 6], lengths: [13, 0, 12] },
    },
    // Lengths past the tokens and past the table; pages outside the pool.
    {
      shapes: { x: [2, 9, 3, 16], pages: [4, 4, 3, 16], pageTable: [2, 2] },
      values: { ...values, pageTable: [3, 9, 1, 0], lengths: [100, -3] },
    },
    {
      shapes: { x: [2, 50, 4, 128], pages: [9, 16, 4, 128], pageTable: [2, 4] },
      values: { ...values, pageTable: [8, 1, 6, 3, 0, 5, 2, 7], lengths: [50, 33] },
      dtypes: ['bf16', 'i8', 'u8', 'f8e4m3'],
    },
    {
      shapes: { x: [0, 4, 1, 8], pages: [2, 4, 1, 8], pageTable: [0, 1] },
      values: { ...values, pageTable: 0, lengths: 0 },
      dtypes: ['bf16'],
    },
  ],
  rejects: [
    {
      shapes: { x: [1, 4, 2, 8], pages: [2, 4, 1, 8], pageTable: [1, 1] },
      values: { pageTable: 0, lengths: 1 },
      throws: 'SHAPE_MISMATCH',
    },
    {
      shapes: { x: [1, 4, 1, 8], pages: [2, 4, 1, 8], pageTable: [2, 1] },
      values: { pageTable: 0, lengths: 1 },
      throws: 'SHAPE_MISMATCH',
    },
    {
      shapes: { x: [1, 4, 1, 8], pages: [2, 4, 1, 8], pageTable: [1, 1] },
      values: { pageTable: 0, lengths: 1 },
      inputDTypes: { pages: 'i8' },
      throws: 'UNSUPPORTED_DTYPE',
    },
  ],
  bench: [whole(8, 2048, 32), whole(64, 4096, 2)],
  bytesMoved: ({ shapes: { x = [] } }) => 2 * 2 * x.reduce((product, size) => product * size, 1),
  tolerance: { f32: 0, f16: 0, bf16: 0 },
});
