// Rotary position embedding in split halves, as Llama does it. Neighbouring pairs: rope-interleaved.ts.

import { defineOp } from '../define-op.js';
import { checkRotary, rotate } from '../rotary.js';

/**
 * Turns each pair of channels `(j, j + R/2)` by an angle proportional to the token's position.
 *
 * `y[j] = x[j]·cos θ − x[j + R/2]·sin θ` and `y[j + R/2] = x[j + R/2]·cos θ + x[j]·sin θ` for `j < R/2`, with
 * `θ = position · base^(−2j/R)` in f32 and cos, sin rounded to the type of `x`; channels from `R` on are copied.
 *
 * @param inputs.x - `[B, T, H, D]` f32 | f16 | bf16, dense along `D`, other axes at any stride (a slice of fused q·k·v)
 * @param inputs.positions - `[B, T]` i32, in tokens, from 0
 * @param options.base - base of the frequencies; dimensionless; default 10000
 * @param options.rotaryDimensions - `R`, even, at most `D` and 512; 0 stands for `D`; default 0
 * @param options.out - `[B, T, H, D]`, dense along `D`; may be `x` itself; default: a new contiguous tensor that the
 *   caller disposes
 * @returns `[B, T, H, D]`, type and device of `x`
 * @throws {ShapeMismatchError} `positions` is not `[B, T]`, or `R` is odd or too large
 * @throws {LayoutError} `x` is not dense along `D`
 * @throws {UnsupportedDTypeError} a type outside the list above
 * @throws {DisposedError} an argument was disposed
 *
 * @remarks Capture-safe. No workspace. Source: https://arxiv.org/abs/2104.09864. Kernel: `rope_half.cu`.
 */
export const ropeHalf = defineOp({
  name: 'ropeHalf',
  inputs: {
    x: { shape: ['B', 'T', 'H', 'D'], layout: 'rows' },
    positions: { shape: ['B', 'T'], dtype: ['i32'] },
  },
  outputs: { y: { shape: ['B', 'T', 'H', 'D'], layout: 'rows', mayAlias: 'x' } },
  dtypes: ['f32', 'f16', 'bf16'],
  attributes: { base: 10000, rotaryDimensions: 0 },
  check: (sizes, { rotaryDimensions }) => checkRotary(sizes, Number(rotaryDimensions)),
  kernel: 'rope_half',
  source: 'https://arxiv.org/abs/2104.09864',
  reference(arrays, attributes) {
    rotate(arrays, attributes, (pair, rotary) => [pair, pair + rotary / 2]);
  },
});
