import { opCases } from '@limen/tensor/testing';

import { gatherPages } from './gather-pages.js';

export default opCases(gatherPages, {
  test: [
    { shapes: { pages: [1, 1, 1], index: [1] }, values: { index: 0 } },
    // Ragged rows, out of order, one page twice, two that do not exist.
    { shapes: { pages: [3, 5, 11], index: [6] }, values: { index: [4, 0, -1, 2, 2, 5] } },
    { shapes: { pages: [4, 6, 64], index: [3] }, values: { index: [5, 1, 2] } },
    { shapes: { pages: [2, 3, 12], index: [2] }, values: { index: [2, 0] } },
    // More than one block of words.
    { shapes: { pages: [6, 7, 2049], index: [4] }, values: { index: [6, 3, 0, 1] } },
    { shapes: { pages: [4, 9, 4096], index: [5] }, values: { index: [8, 0, 7, 1, 6] } },
    { shapes: { pages: [2, 3, 8], index: [0] } },
  ],
  rejects: [
    { shapes: { pages: [2, 8], index: [1] }, values: { index: 0 }, throws: 'SHAPE_MISMATCH' },
    { shapes: { pages: [1, 2, 8], index: [1, 1] }, values: { index: 0 }, throws: 'SHAPE_MISMATCH' },
    { shapes: { pages: [1, 2, 8], index: [1] }, inputDTypes: { index: 'f32' }, throws: 'UNSUPPORTED_DTYPE' },
  ],
  bench: [
    // 256 tokens of Janus-Pro-7B: 30 layers of keys and values, 16 tokens of 32 heads a page.
    {
      shapes: { pages: [60, 32, 16 * 32 * 128], index: [16] },
      values: { index: Array.from({ length: 16 }, (_, page) => (page * 7) % 32) },
      dtypes: ['bf16'],
    },
    // The scales of the same pages in int8.
    {
      shapes: { pages: [60, 32, 16 * 32], index: [16] },
      values: { index: Array.from({ length: 16 }, (_, page) => (page * 7) % 32) },
      dtypes: ['f32'],
    },
  ],
  // Each chosen row is read once and written once; other pages are not touched.
  bytesMoved: ({ outputBytes }) => 2 * outputBytes,
  tolerance: { f32: 0, f16: 0, bf16: 0, f8e4m3: 0 },
});
