import { opCases } from '../testing/op-cases.js';
import { guidanceMix } from './guidance-mix.js';

export default opCases(guidanceMix, {
  test: [
    { shapes: { conditional: [1, 1] } },
    { shapes: { conditional: [3, 1001] } },
    { shapes: { conditional: [2, 16384] }, attributes: { weight: 1.5 } },
    { shapes: { conditional: [0, 8] } },
  ],
  rejects: [
    { shapes: { conditional: [2, 8], unconditional: [2, 9] }, throws: 'SHAPE_MISMATCH' },
    { shapes: { conditional: [2, 8] }, inputDTypes: { unconditional: 'f16' }, throws: 'UNSUPPORTED_DTYPE' },
  ],
  bench: [{ shapes: { conditional: [1, 16384] } }, { shapes: { conditional: [64, 16384] } }],
  tolerance: { f32: 2e-6, f16: 1e-3, bf16: 8e-3 },
});
