// A projection with the norm before it and the gate after it folded in, for the few rows of a decode step.

import { defineOp } from '../define-op.js';
import type { ContractProblem, Sizes } from '../op-declaration.js';
import { linear } from './linear.js';
import { rmsNorm } from './rms-norm.js';
import { siluMul } from './silu-mul.js';

/** A gated weight has two halves. */
export function checkGated(sizes: Sizes, { gated }: Readonly<Record<string, unknown>>): ContractProblem | undefined {
  const rows = sizes.get('N');
  if (gated !== true || rows % 2 === 0) return undefined;
  return { argument: 'weight', expected: 'an even number of rows, the gate and the up', got: String(rows) };
}

/** `[..., N]`, or half of it. */
export function projectedShape(sizes: Sizes, { gated }: Readonly<Record<string, unknown>>): number[] {
  return [...sizes.leading, gated === true ? sizes.get('N') / 2 : sizes.get('N')];
}

/**
 * Norms each row, multiplies it by a weight matrix, and joins the two halves of the result if it is gated.
 *
 * `p[..., n] = Σ_k rmsNorm(x)[..., k] · weight[n, k] + bias[n]`; `y = p`, or when gated
 * `y[..., f] = silu(p[..., f]) · p[..., F + f]` (in f32, rounded once; the normed row is not rounded in between)
 *
 * The same as `rmsNorm`, `linear` and `siluMul` in turn, in one pass. Made for up to eight rows: with more, the three in
 * turn are faster on a Hopper device. The weight is read once for every 32 rows.
 *
 * @param inputs.x - `[..., K]` f32 | f16 | bf16, contiguous
 * @param inputs.normWeight - `[K]`, type and device of `x`
 * @param inputs.weight - `[N, K]`, type and device of `x`; gated: `N = 2F`, the gate's rows, then the up's
 * @param inputs.bias - `[N]`, optional
 * @param options.epsilon - added to the mean square; default 1e-6
 * @param options.gated - whether `y` is `silu(gate) · up`; default `false`
 * @param options.constantWeight - as in `linear`; default `false`
 * @param options.out - `[..., N]`, gated `[..., F]`; default: a new tensor that the caller disposes
 * @returns `[..., N]`, gated `[..., F]`, type and device of `x`
 * @throws {ShapeMismatchError} sizes disagree, or a gated weight has an odd number of rows
 * @throws {UnsupportedDTypeError} a type outside the list above
 * @throws {DisposedError} an argument was disposed
 *
 * @remarks Capture-safe. No workspace. Sources: https://arxiv.org/abs/1910.07467, https://arxiv.org/abs/2002.05202.
 * Kernel: `norm_linear.cu`.
 */
export const normLinear = defineOp({
  name: 'normLinear',
  inputs: {
    x: { shape: ['...', 'K'] },
    normWeight: { shape: ['K'] },
    weight: { shape: ['N', 'K'] },
    bias: { shape: ['N'], optional: true },
  },
  outputs: { y: { shape: projectedShape } },
  dtypes: ['f32', 'f16', 'bf16'],
  attributes: { epsilon: 1e-6, gated: false, constantWeight: false },
  check: checkGated,
  kernel: 'norm_linear',
  source: 'https://arxiv.org/abs/2002.05202',
  reference({ x, normWeight, weight, bias, y }, { epsilon, gated, constantWeight }) {
    const [rows = 0, length = 0] = weight.shape;
    const normed = { data: new Float32Array(x.data.length), shape: x.shape };
    rmsNorm.declaration.reference({ x, weight: normWeight, y: normed }, { eps: epsilon, castBeforeWeight: false });
    const count = length === 0 ? y.data.length / (gated ? rows / 2 : rows) : x.data.length / length;
    const shape = [count, rows];
    const projected = gated ? { data: new Float32Array(count * rows), shape } : y;
    linear.declaration.reference(
      { x: normed, weight, bias, residual: undefined, y: projected },
      { activation: 'none', constantWeight },
    );
    if (gated) siluMul.declaration.reference({ x: projected, y }, {});
  },
});
