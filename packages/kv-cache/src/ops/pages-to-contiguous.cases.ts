import { opCases } from '@limen/tensor/testing';

import { pagesToContiguous } from './pages-to-contiguous.js';

const values = { pages: { low: 0, high: 100 } };

/** Whole sequences of `tokens` tokens out of pages of 16, in an order of pages that jumps. */
function whole(batch: number, tokens: number, heads: number) {
  const count = (batch * tokens) / 16;
  return {
    shapes: { pages: [count, 16, heads, 128], pageTable: [batch, tokens / 16] },
    values: { pageTable: Array.from({ length: count }, (_, index) => (index * 17) % count), lengths: tokens },
    dtypes: ['bf16'] as const,
  };
}

export default opCases(pagesToContiguous, {
  test: [
    { shapes: { pages: [1, 1, 1, 1], pageTable: [1, 1] }, values: { ...values, pageTable: 0, lengths: 1 } },
    // A page size that is no power of two, ragged vectors, an empty sequence, a page that is missing.
    {
      shapes: { pages: [8, 5, 2, 11], pageTable: [3, 3] },
      values: { ...values, pageTable: [7, 2, 4, 0, 1, 3, 5, -1, 6], lengths: [13, 0, 12] },
    },
    // Fewer tokens than the table has room for, and more; a page outside the pool, and one that is shared.
    {
      shapes: { pages: [4, 4, 3, 16], pageTable: [2, 3] },
      attributes: { tokens: 7 },
      values: { ...values, pageTable: [3, 9, 1, 0, 3, 2], lengths: [100, 6] },
    },
    {
      shapes: { pages: [9, 16, 4, 128], pageTable: [2, 4] },
      attributes: { tokens: 70 },
      values: { ...values, pageTable: [8, 1, 6, 3, 0, 5, 2, 7], lengths: [64, 33] },
      dtypes: ['bf16', 'i8', 'u8', 'f8e4m3'],
    },
    {
      shapes: { pages: [0, 4, 1, 8], pageTable: [2, 1] },
      values: { ...values, pageTable: 0, lengths: 3 },
      dtypes: ['bf16'],
    },
  ],
  rejects: [
    {
      shapes: { pages: [2, 4, 1, 8], pageTable: [2, 1], lengths: [1] },
      values: { pageTable: 0, lengths: 1 },
      throws: 'SHAPE_MISMATCH',
    },
    {
      shapes: { pages: [2, 4, 1, 8], pageTable: [1, 1] },
      values: { pageTable: 0, lengths: 1 },
      attributes: { tokens: 1.5 },
      throws: 'SHAPE_MISMATCH',
    },
    {
      shapes: { pages: [2, 4, 1, 8], pageTable: [1, 1] },
      values: { pageTable: 0, lengths: 1 },
      inputDTypes: { lengths: 'f32' },
      throws: 'UNSUPPORTED_DTYPE',
    },
  ],
  bench: [whole(8, 2048, 32), whole(64, 4096, 2)],
  bytesMoved: ({ shapes: { pages = [] } }) => 2 * 2 * pages.reduce((product, size) => product * size, 1),
  tolerance: { f32: 0, f16: 0, bf16: 0 },
});
