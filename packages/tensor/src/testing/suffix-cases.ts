// What ops on a tensor and a suffix of its shape are tested and timed with.

import type { OpCases } from './op-cases.js';

/** Cases of an op on `a` and on `b`, which has the last axes of `a`. */
export const suffixCases: Omit<OpCases, 'op'> = {
  test: [
    { shapes: { a: [], b: [] } },
    { shapes: { a: [3, 1001] } },
    { shapes: { a: [4, 3, 1001], b: [3, 1001] } },
    { shapes: { a: [5, 7, 64], b: [64] } },
    { shapes: { a: [5, 13], b: [13] } },
    { shapes: { a: [7, 129], b: [] } },
    { shapes: { a: [7, 128], b: [] } },
    { shapes: { a: [0, 8], b: [8] } },
  ],
  rejects: [
    { shapes: { a: [2, 8], b: [2] }, throws: 'SHAPE_MISMATCH' },
    { shapes: { a: [8], b: [1, 8] }, throws: 'SHAPE_MISMATCH' },
    { shapes: { a: [8] }, inputDTypes: { b: 'f16' }, throws: 'UNSUPPORTED_DTYPE' },
    { shapes: { a: [8] }, inputDTypes: { a: 'i32' }, throws: 'UNSUPPORTED_DTYPE' },
  ],
  bench: [
    { shapes: { a: [576, 1024] } },
    { shapes: { a: [4096, 8192] } },
    { shapes: { a: [16, 576, 1024], b: [576, 1024] } },
  ],
  tolerance: { f32: 1e-7, f16: 5e-4, bf16: 4e-3 },
};
