import { opCases } from '../testing/op-cases.js';
import { gelu } from './gelu.js';

export default opCases(gelu, {
  test: [
    { shapes: { x: [1] } },
    { shapes: { x: [3, 1001] } },
    { shapes: { x: [3, 1001] }, attributes: { approximation: 'tanh' } },
    { shapes: { x: [2, 4096] }, values: { x: { low: -30, high: 30 } } },
    { shapes: { x: [2, 4096] }, values: { x: { low: -30, high: 30 } }, attributes: { approximation: 'tanh' } },
    { shapes: { x: [0] } },
  ],
  rejects: [{ shapes: { x: [4] }, inputDTypes: { x: 'i32' }, throws: 'UNSUPPORTED_DTYPE' }],
  bench: [{ shapes: { x: [576, 4096] } }, { shapes: { x: [4096, 8192] } }],
  tolerance: { f32: 2e-6, f16: 1e-3, bf16: 5e-3 },
});
