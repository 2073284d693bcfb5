import { opCases } from '../testing/op-cases.js';
import { siluMul } from './silu-mul.js';

export default opCases(siluMul, {
  test: [
    { shapes: { x: [2] } },
    { shapes: { x: [3, 5, 34] } },
    { shapes: { x: [7, 2 * 1408] } },
    { shapes: { x: [2, 64] }, values: { x: { low: -100, high: 100 } } },
    { shapes: { x: [0, 16] } },
  ],
  rejects: [
    { shapes: { x: [2, 7] }, throws: 'SHAPE_MISMATCH' },
    { shapes: { x: [] }, throws: 'SHAPE_MISMATCH' },
    { shapes: { x: [2, 8] }, inputDTypes: { x: 'i32' }, throws: 'UNSUPPORTED_DTYPE' },
  ],
  bench: [{ shapes: { x: [1, 22016] } }, { shapes: { x: [2048, 22016] } }],
  tolerance: { f32: 2e-6, f16: 1e-3, bf16: 8e-3 },
});
