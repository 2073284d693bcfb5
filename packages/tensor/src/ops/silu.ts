// SiLU activation. Fused with the product of a gated block: silu-mul.ts.

import { defineOp } from '../define-op.js';

/**
 * Sigmoid-weighted linear unit, also called swish.
 *
 * `y = x / (1 + e^(−x))`, elementwise (in f32, rounded once)
 *
 * @param inputs.x - `[...]` f32 | f16 | bf16, contiguous
 * @param options.out - shape of `x`; may be `x` itself; default: a new tensor that the caller disposes
 * @returns shape, type and device of `x`
 * @throws {UnsupportedDTypeError} a type outside the list above
 * @throws {DisposedError} an argument was disposed
 *
 * @remarks Capture-safe. No workspace. Source: https://arxiv.org/abs/1702.03118. Kernel: `silu.cu`.
 */
export const silu = defineOp({
  name: 'silu',
  inputs: { x: { shape: ['...'] } },
  outputs: { y: { shape: ['...'], mayAlias: 'x' } },
  dtypes: ['f32', 'f16', 'bf16'],
  kernel: 'silu',
  source: 'https://arxiv.org/abs/1702.03118',
  reference({ x, y }) {
    for (const [index, value] of x.data.entries()) y.data[index] = value / (1 + Math.exp(-value));
  },
});
