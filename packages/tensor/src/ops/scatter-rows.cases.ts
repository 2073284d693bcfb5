import { opCases } from '../testing/op-cases.js';
import { scatterRows } from './scatter-rows.js';

export default opCases(scatterRows, {
  test: [
    { shapes: { x: [1, 1], rows: [1, 1] }, values: { index: 0 } },
    { shapes: { x: [9, 17], rows: [5, 17] }, values: { index: [8, -1, 0, 9, 3] } },
    { shapes: { x: [6, 64], rows: [3, 64] }, values: { index: [5, 1, 2] } },
    { shapes: { x: [3, 12], rows: [2, 12] }, values: { index: [2, 0] } },
    { shapes: { x: [4, 8], rows: [0, 8] } },
  ],
  rejects: [
    { shapes: { x: [4, 8], rows: [2, 7] }, values: { index: 0 }, throws: 'SHAPE_MISMATCH' },
    { shapes: { x: [4, 8], rows: [2, 8], index: [3] }, values: { index: 0 }, throws: 'SHAPE_MISMATCH' },
    { shapes: { x: [4, 8], rows: [2, 8] }, inputDTypes: { index: 'f32' }, throws: 'UNSUPPORTED_DTYPE' },
    {
      shapes: { x: [4, 8], rows: [2, 8] },
      values: { index: 0 },
      inputDTypes: { rows: 'i32' },
      throws: 'UNSUPPORTED_DTYPE',
    },
  ],
  bench: [
    {
      shapes: { x: [1024, 4096], rows: [576, 4096] },
      values: { index: Array.from({ length: 576 }, (_, row) => row + 40) },
      dtypes: ['bf16'],
    },
  ],
  // Each row is read once and written once; the rest of x is not touched.
  bytesMoved: ({ inputBytes, shapes }) => {
    const [named = 0] = shapes.rows ?? [];
    const [all = 0] = shapes.x ?? [];
    return (2 * inputBytes * named) / (named + all);
  },
  tolerance: { f32: 0, f16: 0, bf16: 0 },
});
