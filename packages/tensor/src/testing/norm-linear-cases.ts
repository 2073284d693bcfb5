// What normLinear and its int8 form are tested and timed with: they differ in their weights alone.

import type { OpCase, OpCases } from './op-cases.js';

/** Cases of a projection behind a norm, whatever its weights: `values` makes them. */
export function normLinearCases(values: NonNullable<OpCase['values']>): Omit<OpCases, 'op'> {
  return {
    test: [
      { shapes: { x: [1, 1], weight: [1, 1] }, values },
      { shapes: { x: [1, 1001], weight: [37, 1001], bias: [37] }, values },
      { shapes: { x: [1, 1376], weight: [70, 1376] }, attributes: { gated: true }, values },
      { shapes: { x: [2, 528], weight: [66, 528], bias: [66] }, attributes: { gated: true, epsilon: 0.1 }, values },
      { shapes: { x: [2, 16], weight: [8200, 16] }, values },
      { shapes: { x: [5, 77], weight: [19, 77] }, values },
      // Tensor cores: one, two and four tiles of rows, few and many columns, ragged ends, more rows than one turn takes.
      { shapes: { x: [4, 1, 272], weight: [53, 272], bias: [53] }, attributes: { constantWeight: true }, values },
      { shapes: { x: [8, 528], weight: [34, 528] }, attributes: { gated: true, constantWeight: true }, values },
      { shapes: { x: [13, 2064], weight: [70, 2064] }, values },
      { shapes: { x: [30, 272], weight: [16420, 272] }, attributes: { gated: true }, dtypes: ['bf16'], values },
      { shapes: { x: [70, 144], weight: [26, 144] }, attributes: { gated: true }, values },
      { shapes: { x: [0, 16], weight: [4, 16] }, values },
    ],
    rejects: [
      { shapes: { x: [2, 8], weight: [4, 7] }, throws: 'SHAPE_MISMATCH', values },
      { shapes: { x: [2, 8], normWeight: [7], weight: [4, 8] }, throws: 'SHAPE_MISMATCH', values },
      { shapes: { x: [2, 8], weight: [5, 8] }, attributes: { gated: true }, throws: 'SHAPE_MISMATCH', values },
      {
        shapes: { x: [2, 8], weight: [4, 8] },
        inputDTypes: { normWeight: 'i32' },
        throws: 'UNSUPPORTED_DTYPE',
        values,
      },
    ],
    bench: [1, 4, 8, 16, 32].flatMap((rows) => [
      {
        shapes: { x: [rows, 4096], weight: [12288, 4096] },
        attributes: { gated: false, constantWeight: true },
        values,
      },
      { shapes: { x: [rows, 4096], weight: [22016, 4096] }, attributes: { gated: true, constantWeight: true }, values },
    ]),
    operations: ({ x = [], weight = [] }) => 2 * x.reduce((a, b) => a * b, 1) * (weight[0] ?? 0),
    tolerance: { f32: 5e-5, f16: 6e-3, bf16: 3e-2 },
  };
}
