import { opCases } from '../testing/op-cases.js';
import { layerNorm } from './layer-norm.js';

export default opCases(layerNorm, {
  test: [
    { shapes: { x: [1, 1] } },
    { shapes: { x: [3, 17, 1001] } },
    { shapes: { x: [2, 37, 1024] }, attributes: { eps: 1e-6 } },
    { shapes: { x: [5, 4096] } },
    { shapes: { x: [3, 40] } },
    // A mean a thousand times the spread: the variance must not be the difference of two large sums.
    { shapes: { x: [4, 512] }, values: { x: { low: 1000, high: 1001 } }, dtypes: ['f32'] },
    { shapes: { x: [2, 40000] }, dtypes: ['bf16'] },
    { shapes: { x: [0, 8] } },
  ],
  rejects: [
    { shapes: { x: [2, 8], weight: [7] }, throws: 'SHAPE_MISMATCH' },
    { shapes: { x: [2, 8], bias: [9] }, throws: 'SHAPE_MISMATCH' },
    { shapes: { x: [2, 8] }, inputDTypes: { x: 'i32' }, throws: 'UNSUPPORTED_DTYPE' },
    { shapes: { x: [2, 8] }, inputDTypes: { bias: 'f16' }, throws: 'UNSUPPORTED_DTYPE' },
  ],
  bench: [{ shapes: { x: [576, 1024] } }, { shapes: { x: [4096, 4096] } }],
  tolerance: { f32: 2e-5, f16: 3e-3, bf16: 2e-2 },
});
