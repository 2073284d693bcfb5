import { opCases } from '../testing/op-cases.js';
import { affine } from './affine.js';

export default opCases(affine, {
  test: [
    { shapes: { x: [1] } },
    { shapes: { x: [3, 1001] }, attributes: { scale: -1.5, offset: 0.25 } },
    { shapes: { x: [2, 4096] }, attributes: { offset: 1 } },
    {
      shapes: { x: [5] },
      values: { x: [0, 7, -7, 2 ** 30, -(2 ** 30)] },
      attributes: { scale: 2.5, offset: 0.25 },
      dtypes: ['i32'],
    },
    { shapes: { x: [0] } },
  ],
  rejects: [{ shapes: { x: [4] }, inputDTypes: { x: 'u8' }, throws: 'UNSUPPORTED_DTYPE' }],
  bench: [
    { shapes: { x: [64] }, attributes: { offset: 1 }, dtypes: ['i32'] },
    { shapes: { x: [4096, 8192] }, attributes: { scale: 2 }, dtypes: ['bf16'] },
  ],
  tolerance: { f32: 1e-6, f16: 1e-3, bf16: 8e-3, i32: 0 },
});
