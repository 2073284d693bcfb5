import { opCases } from '../testing/op-cases.js';
import { linear } from './linear.js';

// Small weights keep results near one, where a rounded sum before an activation does not show.
const weight = { low: -0.1, high: 0.1 };

export default opCases(linear, {
  test: [
    { shapes: { x: [1, 1], weight: [1, 1] } },
    // One to eight rows: nothing is a multiple of anything, then aligned with every kind of remainder.
    { shapes: { x: [1, 1001], weight: [37, 1001], bias: [37] }, values: { weight } },
    {
      shapes: { x: [1, 1376], weight: [70, 1376], bias: [70], residual: [1, 70] },
      attributes: { activation: 'silu' },
      values: { weight },
    },
    { shapes: { x: [2, 264], weight: [33, 264], residual: [2, 33] }, values: { weight } },
    { shapes: { x: [5, 77], weight: [19, 77] }, attributes: { activation: 'gelu' }, values: { weight } },
    { shapes: { x: [7, 1096], weight: [100, 1096], bias: [100], residual: [7, 100] }, values: { weight } },
    { shapes: { x: [3, 8], weight: [8200, 8] }, values: { weight } },
    // Up to 32 rows.
    {
      shapes: { x: [3, 5, 200], weight: [53, 200], bias: [53], residual: [3, 5, 53] },
      attributes: { activation: 'gelu' },
      values: { weight },
    },
    { shapes: { x: [30, 520], weight: [40, 520], bias: [40] }, values: { weight } },
    // More: aligned (cuBLASLt where there is one), with an activation after it, then ragged.
    { shapes: { x: [65, 264], weight: [136, 264], bias: [136], residual: [65, 136] }, values: { weight } },
    {
      shapes: { x: [2, 20, 72], weight: [88, 72], residual: [2, 20, 88] },
      attributes: { activation: 'silu' },
      values: { weight },
    },
    {
      shapes: { x: [70, 101], weight: [130, 101], bias: [130], residual: [70, 130] },
      attributes: { activation: 'gelu' },
      values: { weight },
    },
    // Nine to 64 rows of a tall weight: one turn and two, with ragged ends.
    {
      shapes: { x: [30, 136], weight: [8457, 136], bias: [8457], residual: [30, 8457] },
      attributes: { constantWeight: true },
      values: { weight },
      dtypes: ['f16'],
    },
    {
      shapes: { x: [33, 40], weight: [33797, 40] },
      attributes: { activation: 'silu' },
      values: { weight },
      dtypes: ['bf16'],
    },
    // Enough tiles of 128 × 128 for a whole device.
    { shapes: { x: [129, 24], weight: [7557, 24] }, values: { weight }, dtypes: ['bf16'] },
    { shapes: { x: [0, 8], weight: [4, 8] } },
    { shapes: { x: [2, 0], weight: [3, 0], bias: [3] } },
  ],
  rejects: [
    { shapes: { x: [2, 8], weight: [4, 7] }, throws: 'SHAPE_MISMATCH' },
    { shapes: { x: [2, 8], weight: [4, 8], bias: [5] }, throws: 'SHAPE_MISMATCH' },
    { shapes: { x: [2, 8], weight: [4, 8], residual: [3, 4] }, throws: 'SHAPE_MISMATCH' },
    { shapes: { x: [2, 8], weight: [4, 8] }, inputDTypes: { weight: 'f16' }, throws: 'UNSUPPORTED_DTYPE' },
    { shapes: { x: [2, 8], weight: [4, 8] }, inputDTypes: { x: 'i32' }, values: { x: 1 }, throws: 'UNSUPPORTED_DTYPE' },
  ],
  bench: [
    ...[12288, 4096, 22016].map((columns) => ({ shapes: { x: [1, 4096], weight: [columns, 4096] } })),
    { shapes: { x: [1, 11264], weight: [4096, 11264] } },
    { shapes: { x: [2, 4096], weight: [12288, 4096] } },
    { shapes: { x: [8, 4096], weight: [12288, 4096] } },
    { shapes: { x: [16, 4096], weight: [22016, 4096] } },
    ...[9, 32, 64].map((rows) => ({ shapes: { x: [rows, 4096], weight: [22016, 4096] } })),
    { shapes: { x: [640, 4096], weight: [12288, 4096] } },
    { shapes: { x: [6401, 1792], weight: [15360, 1792], bias: [15360] }, attributes: { activation: 'gelu' } },
  ],
  operations: ({ x = [], weight: [columns = 0] = [] }) => 2 * columns * x.reduce((product, size) => product * size, 1),
  tolerance: { f32: 2e-5, f16: 4e-3, bf16: 2e-2 },
});
