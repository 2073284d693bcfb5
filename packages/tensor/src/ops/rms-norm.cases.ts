import { opCases } from '../testing/op-cases.js';
import { rmsNorm } from './rms-norm.js';

export default opCases(rmsNorm, {
  test: [
    { shapes: { x: [1, 1] } },
    { shapes: { x: [3, 17, 1001] } },
    { shapes: { x: [2, 576, 128] }, attributes: { castBeforeWeight: false, eps: 1e-5 } },
    { shapes: { x: [5, 4096] } },
    { shapes: { x: [0, 8] } },
  ],
  rejects: [
    { shapes: { x: [2, 8], weight: [7] }, throws: 'SHAPE_MISMATCH' },
    { shapes: { x: [2, 8] }, inputDTypes: { x: 'i32' }, values: { x: 1 }, throws: 'UNSUPPORTED_DTYPE' },
    { shapes: { x: [2, 8] }, inputDTypes: { weight: 'f16' }, throws: 'UNSUPPORTED_DTYPE' },
  ],
  bench: [{ shapes: { x: [1, 4096] } }, { shapes: { x: [4096, 4096] } }],
  tolerance: { f32: 1e-5, f16: 3e-3, bf16: 2e-2 },
});
