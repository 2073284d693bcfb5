import { opCases } from '@limen/tensor/testing';

import { swapPageLayoutInPlace } from './swap-page-layout-in-place.js';

const values = { pages: { low: 0, high: 100 } };

export default opCases(swapPageLayoutInPlace, {
  test: [
    { shapes: { pages: [1, 1, 1] }, values },
    { shapes: { pages: [2, 3, 5, 11] }, values },
    { shapes: { pages: [2, 2, 3, 16, 4, 32] }, values, dtypes: ['bf16', 'i8', 'f32'] },
    // Scales: one and two elements a vector.
    { shapes: { pages: [3, 16, 5, 1] }, values, dtypes: ['f32'] },
    { shapes: { pages: [3, 5, 16, 2] }, values, dtypes: ['f16'] },
    // Pages that are cut into pieces: of 128 bytes, then of 16.
    { shapes: { pages: [2, 16, 32, 128] }, values, dtypes: ['bf16'] },
    { shapes: { pages: [1, 256, 33, 32] }, values, dtypes: ['bf16', 'i8'] },
    { shapes: { pages: [0, 16, 2, 8] }, values, dtypes: ['bf16'] },
  ],
  rejects: [{ shapes: { pages: [3, 4] }, throws: 'SHAPE_MISMATCH' }],
  bench: [
    { shapes: { pages: [2048, 16, 32, 128] }, dtypes: ['bf16'] },
    { shapes: { pages: [128, 256, 32, 128] }, dtypes: ['bf16'] },
  ],
  bytesMoved: ({ inputBytes }) => 2 * inputBytes,
  tolerance: { f32: 0, f16: 0, bf16: 0 },
});
