import { opCases } from '../testing/op-cases.js';
import { fillNormal } from './fill-normal.js';

export default opCases(fillNormal, {
  test: [
    { shapes: { x: [1] } },
    { shapes: { x: [3, 1001] }, attributes: { seed: 7, deviation: 0.02 } },
    { shapes: { x: [70, 129] }, attributes: { mean: 1, deviation: 0.1, seed: 123456789 } },
  ],
  rejects: [{ shapes: { x: [4] }, inputDTypes: { x: 'i32' }, throws: 'UNSUPPORTED_DTYPE' }],
  bench: [{ shapes: { x: [4096, 4096] }, dtypes: ['bf16'] }],
  bytesMoved: ({ inputBytes }) => inputBytes,
  tolerance: { f32: 2e-5, f16: 2e-3, bf16: 1e-2 },
});
