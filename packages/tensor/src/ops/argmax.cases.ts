import { opCases } from '../testing/op-cases.js';
import { argmax } from './argmax.js';

export default opCases(argmax, {
  test: [
    { shapes: { x: [1] } },
    { shapes: { x: [3, 7, 1001] } },
    { shapes: { x: [1, 102400] } },
    { shapes: { x: [2, 50001] } },
    { shapes: { x: [300, 64] } },
    // Ties everywhere; a NaN before, between and after; −0 and +0 are equal.
    { shapes: { x: [2, 40000] }, values: { x: 3 } },
    {
      shapes: { x: [5, 3] },
      values: { x: [NaN, 1, 1, NaN, NaN, NaN, -Infinity, -Infinity, NaN, -0, 0, -1, 2, NaN, Infinity] },
    },
    { shapes: { x: [0, 8] } },
  ],
  rejects: [
    { shapes: { x: [] }, throws: 'SHAPE_MISMATCH' },
    { shapes: { x: [2, 0] }, throws: 'SHAPE_MISMATCH' },
    { shapes: { x: [2, 8] }, inputDTypes: { x: 'i32' }, throws: 'UNSUPPORTED_DTYPE' },
  ],
  bench: [{ shapes: { x: [1, 102400] } }, { shapes: { x: [64, 102400] } }],
  tolerance: { f32: 0, f16: 0, bf16: 0 },
});
