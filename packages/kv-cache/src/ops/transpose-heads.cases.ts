import { opCases } from '@limen/tensor/testing';

import { transposeHeads } from './transpose-heads.js';

const numbers = { low: 0, high: 100 };
const values = { x: numbers };

export default opCases(transposeHeads, {
  test: [
    { shapes: { x: [1, 1, 1, 1] }, values },
    // Vectors that fill no word; both axes ragged; rows that end early, at once, and past the end.
    { shapes: { x: [2, 3, 5, 11] }, values },
    { shapes: { x: [3, 5, 7, 20], lengths: [3] }, values: { ...values, lengths: [4, 0, 9] } },
    {
      shapes: { x: [3, 7, 5, 20], lengths: [3] },
      values: { ...values, lengths: [4, -1, 7] },
      attributes: { tokenAxis: 1 },
    },
    // Several tiles in both directions.
    { shapes: { x: [2, 33, 70, 64] }, values, dtypes: ['bf16', 'f32', 'f8e4m3'] },
    { shapes: { x: [1, 32, 40, 128], lengths: [1] }, values: { ...values, lengths: 37 }, dtypes: ['bf16', 'i8'] },
    // One axis of size 1 on either side: rows join; a vector longer than a tile.
    { shapes: { x: [2, 1, 9, 48] }, values, dtypes: ['f16', 'u8'] },
    { shapes: { x: [1, 2, 3, 20000] }, values, dtypes: ['bf16', 'u8'] },
    { shapes: { x: [2, 0, 3, 8] }, values, dtypes: ['bf16'] },
  ],
  rejects: [
    { shapes: { x: [2, 3, 4, 8], lengths: [3] }, values: { lengths: 1 }, throws: 'SHAPE_MISMATCH' },
    { shapes: { x: [2, 3, 4, 8] }, attributes: { tokenAxis: 0 }, throws: 'SHAPE_MISMATCH' },
  ],
  bench: [
    { shapes: { x: [8, 32, 2048, 128] }, dtypes: ['bf16'] },
    { shapes: { x: [8, 2048, 32, 128] }, dtypes: ['bf16'] },
    { shapes: { x: [64, 2, 8192, 128] }, dtypes: ['bf16'] },
    { shapes: { x: [8, 32, 4096, 128] }, dtypes: ['f8e4m3'] },
  ],
  tolerance: { f32: 0, f16: 0, bf16: 0 },
});
