import { opCases } from '@limen/tensor/testing';

import { scatterPages } from './scatter-pages.js';

export default opCases(scatterPages, {
  test: [
    { shapes: { pages: [1, 1, 1], rows: [1, 1, 1] }, values: { index: 0 } },
    // Ragged rows, out of order, two pages that do not exist.
    { shapes: { pages: [3, 5, 11], rows: [5, 3, 11] }, values: { index: [4, 0, -1, 2, 5] } },
    { shapes: { pages: [4, 6, 64], rows: [3, 4, 64] }, values: { index: [5, 1, 2] } },
    { shapes: { pages: [2, 3, 12], rows: [2, 2, 12] }, values: { index: [2, 0] } },
    // More than one block of words.
    { shapes: { pages: [6, 7, 2049], rows: [4, 6, 2049] }, values: { index: [6, 3, 0, 1] } },
    { shapes: { pages: [4, 9, 4096], rows: [5, 4, 4096] }, values: { index: [8, 0, 7, 1, 6] } },
    { shapes: { pages: [2, 3, 8], rows: [0, 2, 8] } },
  ],
  rejects: [
    { shapes: { pages: [1, 2, 8], rows: [1, 1, 7] }, values: { index: 0 }, throws: 'SHAPE_MISMATCH' },
    { shapes: { pages: [1, 2, 8], rows: [2, 1, 8], index: [3] }, values: { index: 0 }, throws: 'SHAPE_MISMATCH' },
    { shapes: { pages: [1, 2, 8], rows: [1, 1, 8] }, inputDTypes: { index: 'f32' }, throws: 'UNSUPPORTED_DTYPE' },
    {
      shapes: { pages: [1, 2, 8], rows: [1, 1, 8] },
      values: { index: 0 },
      inputDTypes: { rows: 'i32' },
      throws: 'UNSUPPORTED_DTYPE',
    },
  ],
  bench: [
    {
      shapes: { pages: [60, 32, 16 * 32 * 128], rows: [16, 60, 16 * 32 * 128] },
      values: { index: Array.from({ length: 16 }, (_, page) => (page * 7) % 32) },
      dtypes: ['bf16'],
    },
    {
      shapes: { pages: [60, 32, 16 * 32], rows: [16, 60, 16 * 32] },
      values: { index: Array.from({ length: 16 }, (_, page) => (page * 7) % 32) },
      dtypes: ['f32'],
    },
  ],
  // Each row is read once and written once; other pages are not touched.
  bytesMoved: ({ inputBytes, shapes }) => {
    const [moved = 0] = shapes.rows ?? [];
    const [, all = 0] = shapes.pages ?? [];
    return (2 * inputBytes * moved) / (moved + all);
  },
  tolerance: { f32: 0, f16: 0, bf16: 0, f8e4m3: 0 },
});
