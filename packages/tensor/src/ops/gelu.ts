// GELU activation, exact or by its tanh approximation.

import { defineOp } from '../define-op.js';
import { errorFunction } from '../error-function.js';
import { choice } from '../op-declaration.js';

/**
 * Gaussian error linear unit.
 *
 * `none`: `y = ½x(1 + erf(x/√2))`; `tanh`: `y = ½x(1 + tanh(√(2/π)(x + 0.044715x³)))`, elementwise (in f32, rounded once)
 *
 * @param inputs.x - `[...]` f32 | f16 | bf16, contiguous
 * @param options.approximation - `none` | `tanh`; they differ by up to 5e-4; default `none`
 * @param options.out - shape of `x`; may be `x` itself; default: a new tensor that the caller disposes
 * @returns shape, type and device of `x`
 * @throws {UnsupportedDTypeError} a type outside the list above
 * @throws {DisposedError} an argument was disposed
 *
 * @remarks Capture-safe. No workspace. Source: https://arxiv.org/abs/1606.08415. Kernel: `gelu.cu`.
 */
export const gelu = defineOp({
  name: 'gelu',
  inputs: { x: { shape: ['...'] } },
  outputs: { y: { shape: ['...'], mayAlias: 'x' } },
  dtypes: ['f32', 'f16', 'bf16'],
  attributes: { approximation: choice('none', 'tanh') },
  kernel: 'gelu',
  source: 'https://arxiv.org/abs/1606.08415',
  reference({ x, y }, { approximation }) {
    for (const [index, value] of x.data.entries()) {
      const bent =
        approximation === 'tanh'
          ? Math.tanh(Math.sqrt(2 / Math.PI) * (value + 0.044715 * value ** 3))
          : errorFunction(value / Math.SQRT2);
      y.data[index] = 0.5 * value * (1 + bent);
    }
  },
});
