// The gated activation of a feed-forward block.

import { defineOp } from '../define-op.js';
import type { ContractProblem, Sizes } from '../op-declaration.js';

function checkPair(sizes: Sizes): ContractProblem | undefined {
  const features = sizes.get('F2');
  if (features % 2 === 0) return undefined;
  return {
    argument: 'x',
    expected: 'an even last axis: gate features, then as many up features',
    got: String(features),
  };
}

/**
 * Multiplies the second half of each row by the SiLU of the first.
 *
 * `y[..., f] = silu(x[..., f]) · x[..., F + f]` with `silu(g) = g / (1 + e^(−g))` (in f32, rounded once)
 *
 * @param inputs.x - `[..., 2F]` f32 | f16 | bf16, contiguous: the gate projection, then the up projection
 * @param options.out - `[..., F]`; default: a new tensor that the caller disposes
 * @returns `[..., F]`, type and device of `x`
 * @throws {ShapeMismatchError} the last axis of `x` is odd
 * @throws {UnsupportedDTypeError} a type outside the list above
 * @throws {DisposedError} an argument was disposed
 *
 * @remarks Capture-safe. No workspace. Source: https://arxiv.org/abs/2002.05202. Kernel: `silu_mul.cu`.
 */
export const siluMul = defineOp({
  name: 'siluMul',
  inputs: { x: { shape: ['...', 'F2'] } },
  outputs: { y: { shape: (sizes) => [...sizes.leading, sizes.get('F2') / 2] } },
  dtypes: ['f32', 'f16', 'bf16'],
  check: checkPair,
  kernel: 'silu_mul',
  source: 'https://arxiv.org/abs/2002.05202',
  reference({ x, y }) {
    const features = y.shape.at(-1) ?? 0;
    for (let index = 0; index < y.data.length; index++) {
      const row = Math.floor(index / features);
      const gate = x.data[index + row * features] ?? 0;
      const up = x.data[index + (row + 1) * features] ?? 0;
      y.data[index] = (gate / (1 + Math.exp(-gate))) * up;
    }
  },
});
