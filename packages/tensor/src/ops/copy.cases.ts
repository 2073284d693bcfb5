import { opCases } from '../testing/op-cases.js';
import { copy } from './copy.js';

export default opCases(copy, {
  test: [
    { shapes: { x: [] } },
    { shapes: { x: [3, 17] } },
    { shapes: { x: [2, 3, 4, 64] } },
    { shapes: { x: [1, 5, 1, 13, 2, 1, 3, 16] } },
    { shapes: { x: [70000] } },
    { shapes: { x: [0, 8] } },
  ],
  rejects: [],
  bench: [
    { shapes: { x: [4096, 8192] }, dtypes: ['bf16'] },
    { shapes: { x: [64, 1024] }, dtypes: ['bf16'] },
  ],
  tolerance: { f32: 0, f16: 0, bf16: 0 },
});
