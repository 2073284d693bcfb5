// Projection: a matrix product with a weight, and what usually follows it.

import { activate } from '../activation.js';
import { defineOp } from '../define-op.js';
import { dot } from '../dot.js';
import { choice } from '../op-declaration.js';

/**
 * Multiplies each row by a weight matrix, then adds a bias, applies an activation and adds a residual.
 *
 * `y[..., n] = activation(Σ_k x[..., k] · weight[n, k] + bias[n]) + residual[..., n]` (accumulates in f32)
 *
 * @param inputs.x - `[..., K]` f32 | f16 | bf16, contiguous
 * @param inputs.weight - `[N, K]`, type and device of `x`
 * @param inputs.bias - `[N]`, optional
 * @param inputs.residual - `[..., N]`, optional; added after the activation
 * @param options.activation - `none`, `gelu` (exact, with the error function) or `silu`; default `none`
 * @param options.constantWeight - promises that no op that may still be running writes `weight`, as is true of a model's
 *   weights: a GPU then reads it before earlier ops have ended; default `false`
 * @param options.out - `[..., N]`; may be `residual` itself; default: a new tensor that the caller disposes
 * @returns `[..., N]`, type and device of `x`
 * @throws {ShapeMismatchError} sizes `K`, `N` or the leading axes disagree
 * @throws {UnsupportedDTypeError} a type outside the list above
 * @throws {DisposedError} an argument was disposed
 *
 * @remarks Capture-safe. Workspace: 32 MiB where cuBLASLt is used (more than a few rows), and one more `y` where an
 * activation and a residual meet there. Source: https://arxiv.org/abs/1706.03762 §3.3. Kernel: `linear.cu`.
 */
export const linear = defineOp({
  name: 'linear',
  inputs: {
    x: { shape: ['...', 'K'] },
    weight: { shape: ['N', 'K'] },
    bias: { shape: ['N'], optional: true },
    residual: { shape: ['...', 'N'], optional: true },
  },
  outputs: { y: { shape: ['...', 'N'], mayAlias: 'residual' } },
  dtypes: ['f32', 'f16', 'bf16'],
  attributes: { activation: choice('none', 'gelu', 'silu'), constantWeight: false },
  kernel: 'linear',
  source: 'https://arxiv.org/abs/1706.03762',
  reference({ x, weight, bias, residual, y }, { activation }) {
    const [columns = 0, length = 0] = weight.shape;
    for (let index = 0; index < y.data.length; index++) {
      const row = Math.floor(index / columns);
      const column = index % columns;
      const sum = dot(x.data, row * length, weight.data, column * length, length);
      y.data[index] = activate(activation, sum + (bias?.data[column] ?? 0)) + (residual?.data[index] ?? 0);
    }
  },
});
