// Classifier-free guidance on logits.

import { defineOp } from '../define-op.js';

/**
 * Moves conditional logits away from the unconditional ones.
 *
 * `y = u + weight · (c − u)` with `c` conditional and `u` unconditional logits (in f32, rounded once)
 *
 * @param inputs.conditional - `[B, V]` f32 | f16 | bf16, contiguous
 * @param inputs.unconditional - `[B, V]`, type and device of `conditional`
 * @param options.weight - guidance scale; dimensionless; 1 gives `c`, 0 gives `u`; default 5
 * @param options.out - `[B, V]`; may be `conditional` itself; default: a new tensor that the caller disposes
 * @returns `[B, V]`, type and device of `conditional`
 * @throws {ShapeMismatchError} the two shapes differ
 * @throws {UnsupportedDTypeError} a type outside the list above
 * @throws {DisposedError} an argument was disposed
 *
 * @remarks Capture-safe. No workspace. Source: https://arxiv.org/abs/2207.12598. Kernel: `guidance_mix.cu`.
 */
export const guidanceMix = defineOp({
  name: 'guidanceMix',
  inputs: { conditional: { shape: ['B', 'V'] }, unconditional: { shape: ['B', 'V'] } },
  outputs: { y: { shape: ['B', 'V'], mayAlias: 'conditional' } },
  dtypes: ['f32', 'f16', 'bf16'],
  attributes: { weight: 5 },
  kernel: 'guidance_mix',
  source: 'https://arxiv.org/abs/2207.12598',
  reference({ conditional, unconditional, y }, { weight }) {
    for (const [index, base] of unconditional.data.entries()) {
      y.data[index] = base + weight * ((conditional.data[index] ?? 0) - base);
    }
  },
});
