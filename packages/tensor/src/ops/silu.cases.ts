import { opCases } from '../testing/op-cases.js';
import { silu } from './silu.js';

export default opCases(silu, {
  test: [
    { shapes: { x: [1] } },
    { shapes: { x: [3, 1001] } },
    { shapes: { x: [2, 4096] }, values: { x: { low: -120, high: 120 } } },
    { shapes: { x: [0] } },
  ],
  rejects: [{ shapes: { x: [4] }, inputDTypes: { x: 'i32' }, throws: 'UNSUPPORTED_DTYPE' }],
  bench: [{ shapes: { x: [1, 4096] } }, { shapes: { x: [4096, 8192] } }],
  tolerance: { f32: 2e-6, f16: 1e-3, bf16: 5e-3 },
});
