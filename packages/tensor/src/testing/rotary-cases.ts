// What both rotary position embeddings are tested and timed with: they differ in which channels are a pair.

import type { OpCases } from './op-cases.js';

const positions = { low: 0, high: 2048 };

/** Cases of a rotation by position. */
export const rotaryCases: Omit<OpCases, 'op'> = {
  test: [
    { shapes: { x: [1, 1, 1, 2] }, values: { positions: 1 } },
    { shapes: { x: [2, 5, 3, 18] }, values: { positions } },
    { shapes: { x: [2, 9, 4, 128] }, values: { positions } },
    { shapes: { x: [1, 7, 5, 64] }, values: { positions }, attributes: { base: 500000, rotaryDimensions: 32 } },
    { shapes: { x: [1, 3, 2, 10] }, values: { positions }, attributes: { rotaryDimensions: 6 } },
    { shapes: { x: [3, 1, 32, 128] }, values: { positions: [0, 16383, 700] } },
    { shapes: { x: [0, 4, 2, 8] } },
  ],
  rejects: [
    { shapes: { x: [1, 2, 2, 8], positions: [1, 3] }, values: { positions: 0 }, throws: 'SHAPE_MISMATCH' },
    {
      shapes: { x: [1, 2, 2, 8] },
      values: { positions: 0 },
      attributes: { rotaryDimensions: 10 },
      throws: 'SHAPE_MISMATCH',
    },
    {
      shapes: { x: [1, 2, 2, 8] },
      values: { positions: 0 },
      attributes: { rotaryDimensions: 3 },
      throws: 'SHAPE_MISMATCH',
    },
    { shapes: { x: [1, 2, 2, 7] }, values: { positions: 0 }, throws: 'SHAPE_MISMATCH' },
    { shapes: { x: [1, 2, 2, 8] }, inputDTypes: { positions: 'f32' }, throws: 'UNSUPPORTED_DTYPE' },
    {
      shapes: { x: [1, 2, 2, 8] },
      values: { x: 1, positions: 0 },
      inputDTypes: { x: 'i32' },
      throws: 'UNSUPPORTED_DTYPE',
    },
  ],
  bench: [
    { shapes: { x: [1, 1, 64, 128] }, values: { positions }, dtypes: ['bf16'] },
    { shapes: { x: [1, 2048, 64, 128] }, values: { positions }, dtypes: ['bf16'] },
  ],
  // 16-bit types round cos and sin first: half a unit in their last place, times each of two terms.
  tolerance: { f32: 5e-6, f16: 3e-3, bf16: 2.5e-2 },
};
