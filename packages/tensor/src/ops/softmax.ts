// Softmax over the last axis.

import { defineOp } from '../define-op.js';

/**
 * Turns each row into a probability distribution.
 *
 * `y[..., c] = exp(scale·x[..., c] − m) / Σ_c exp(scale·x[..., c] − m)`, `m` the greatest `scale·x` of the row (sums in f32)
 *
 * Entries of −∞ become 0; a row of nothing but −∞ has no distribution and becomes NaN.
 *
 * @param inputs.x - `[..., C]` f32 | f16 | bf16, contiguous
 * @param options.scale - factor before the exponential (the inverse of a temperature); dimensionless; default 1
 * @param options.out - `[..., C]`; may be `x` itself; default: a new tensor that the caller disposes
 * @returns `[..., C]`, type and device of `x`
 * @throws {ShapeMismatchError} `x` has no axes
 * @throws {UnsupportedDTypeError} a type outside the list above
 * @throws {DisposedError} an argument was disposed
 *
 * @remarks Capture-safe. No workspace. Source: https://en.wikipedia.org/wiki/Softmax_function. Kernel: `softmax.cu`.
 */
export const softmax = defineOp({
  name: 'softmax',
  inputs: { x: { shape: ['...', 'C'] } },
  outputs: { y: { shape: ['...', 'C'], mayAlias: 'x' } },
  dtypes: ['f32', 'f16', 'bf16'],
  attributes: { scale: 1 },
  kernel: 'softmax',
  source: 'https://en.wikipedia.org/wiki/Softmax_function',
  reference({ x, y }, { scale }) {
    const columns = x.shape.at(-1) ?? 1;
    for (let start = 0; start < x.data.length; start += columns) {
      let maximum = -Infinity;
      for (let c = 0; c < columns; c++) maximum = Math.max(maximum, scale * (x.data[start + c] ?? 0));
      let sum = 0;
      for (let c = 0; c < columns; c++) sum += Math.exp(scale * (x.data[start + c] ?? 0) - maximum);
      for (let c = 0; c < columns; c++) {
        y.data[start + c] = Math.exp(scale * (x.data[start + c] ?? 0) - maximum) / sum;
      }
    }
  },
});
