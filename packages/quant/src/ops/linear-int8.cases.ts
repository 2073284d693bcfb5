import { opCases } from '@limen/tensor/testing';

import { linearInt8 } from './linear-int8.js';

const weight = { low: -127, high: 128 };
const scales = { low: 0.0005, high: 0.001 };
const values = { weight, scales };

export default opCases(linearInt8, {
  test: [
    { shapes: { x: [1, 1], weight: [1, 1] }, values },
    { shapes: { x: [1, 1001], weight: [37, 1001], bias: [37] }, values },
    {
      shapes: { x: [1, 1376], weight: [70, 1376], bias: [70], residual: [1, 70] },
      attributes: { activation: 'silu' },
      values,
    },
    { shapes: { x: [5, 77], weight: [19, 77] }, attributes: { activation: 'gelu' }, values },
    { shapes: { x: [8, 528], weight: [33, 528], residual: [8, 33] }, values },
    { shapes: { x: [2, 16], weight: [8200, 16] }, values },
    {
      shapes: { x: [3, 5, 208], weight: [53, 208], bias: [53], residual: [3, 5, 53] },
      attributes: { activation: 'gelu' },
      values,
    },
    { shapes: { x: [30, 528], weight: [40, 528] }, values },
    { shapes: { x: [65, 272], weight: [136, 272], bias: [136], residual: [65, 136] }, values },
    { shapes: { x: [70, 101], weight: [130, 101], bias: [130] }, attributes: { activation: 'silu' }, values },
    { shapes: { x: [129, 32], weight: [7557, 32] }, values, dtypes: ['bf16'] },
    { shapes: { x: [0, 16], weight: [4, 16] }, values },
    { shapes: { x: [2, 0], weight: [3, 0], bias: [3] }, values },
  ],
  rejects: [
    { shapes: { x: [2, 8], weight: [4, 7] }, values, throws: 'SHAPE_MISMATCH' },
    { shapes: { x: [2, 8], weight: [4, 8], scales: [5] }, values, throws: 'SHAPE_MISMATCH' },
    { shapes: { x: [2, 8], weight: [4, 8] }, values, inputDTypes: { weight: 'f32' }, throws: 'UNSUPPORTED_DTYPE' },
    { shapes: { x: [2, 8], weight: [4, 8] }, values, inputDTypes: { scales: 'f16' }, throws: 'UNSUPPORTED_DTYPE' },
  ],
  bench: [
    ...[12288, 4096, 22016].map((columns) => ({ shapes: { x: [1, 4096], weight: [columns, 4096] }, values })),
    { shapes: { x: [2, 4096], weight: [12288, 4096] }, values },
    { shapes: { x: [8, 4096], weight: [12288, 4096] }, values },
    { shapes: { x: [640, 4096], weight: [12288, 4096] }, values },
  ],
  operations: ({ x = [], weight: [columns = 0] = [] }) => 2 * columns * x.reduce((product, size) => product * size, 1),
  tolerance: { f32: 2e-5, f16: 4e-3, bf16: 2e-2 },
});
