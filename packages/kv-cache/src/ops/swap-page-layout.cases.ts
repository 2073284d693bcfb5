import { opCases } from '@limen/tensor/testing';

import { swapPageLayout } from './swap-page-layout.js';

const values = { x: { low: 0, high: 100 } };

export default opCases(swapPageLayout, {
  test: [
    { shapes: { x: [1, 1, 1] }, values },
    { shapes: { x: [2, 3, 5, 11] }, values },
    { shapes: { x: [2, 2, 3, 16, 4, 32] }, values, dtypes: ['bf16', 'i8', 'f32'] },
    // Scales: one and two elements a vector.
    { shapes: { x: [3, 16, 5, 1] }, values, dtypes: ['f32'] },
    { shapes: { x: [3, 5, 16, 2] }, values, dtypes: ['f16'] },
    { shapes: { x: [2, 64, 9, 128] }, values, dtypes: ['bf16', 'f8e4m3'] },
    { shapes: { x: [0, 16, 2, 8] }, values, dtypes: ['bf16'] },
  ],
  rejects: [{ shapes: { x: [3, 4] }, throws: 'SHAPE_MISMATCH' }],
  bench: [
    { shapes: { x: [2048, 16, 32, 128] }, dtypes: ['bf16'] },
    { shapes: { x: [2048, 32, 16, 128] }, dtypes: ['bf16'] },
    { shapes: { x: [128, 256, 32, 128] }, dtypes: ['bf16'] },
  ],
  tolerance: { f32: 0, f16: 0, bf16: 0 },
});
