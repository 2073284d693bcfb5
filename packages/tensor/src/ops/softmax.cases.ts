import { opCases } from '../testing/op-cases.js';
import { softmax } from './softmax.js';

export default opCases(softmax, {
  test: [
    { shapes: { x: [1] } },
    { shapes: { x: [3, 17, 1001] } },
    { shapes: { x: [37, 576] }, attributes: { scale: 0.125 } },
    { shapes: { x: [5, 4096] }, values: { x: { low: -60, high: 60 } } },
    { shapes: { x: [2, 5] }, values: { x: [0, -Infinity, 1, 2, -Infinity, 3, 3, 3, 3, -Infinity] } },
    { shapes: { x: [2, 102400] }, attributes: { scale: 2 } },
    { shapes: { x: [0, 8] } },
  ],
  rejects: [
    { shapes: { x: [] }, throws: 'SHAPE_MISMATCH' },
    { shapes: { x: [2, 8] }, inputDTypes: { x: 'i32' }, throws: 'UNSUPPORTED_DTYPE' },
  ],
  bench: [{ shapes: { x: [16384, 576] } }, { shapes: { x: [8, 102400] } }],
  tolerance: { f32: 1e-6, f16: 6e-4, bf16: 4e-3 },
});
