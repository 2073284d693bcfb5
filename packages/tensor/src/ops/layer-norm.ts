// Layer normalisation over the last axis.

import { defineOp } from '../define-op.js';

/**
 * Shifts and scales each row to mean 0 and variance 1, then by a weight and a bias per channel.
 *
 * `y[..., c] = (x[..., c] − mean) · (variance + eps)^(−1/2) · weight[c] + bias[c]` (mean and variance over `c`, in f32;
 * the variance divides by `C`)
 *
 * @param inputs.x - `[..., C]` f32 | f16 | bf16, contiguous
 * @param inputs.weight - `[C]`, type and device of `x`
 * @param inputs.bias - `[C]`, type and device of `x`
 * @param options.eps - added to the variance; dimensionless; default `1e-5`
 * @param options.out - `[..., C]`; may be `x` itself; default: a new tensor that the caller disposes
 * @returns `[..., C]`, type and device of `x`
 * @throws {ShapeMismatchError} `weight` or `bias` is not `[C]`
 * @throws {UnsupportedDTypeError} a type outside the list above
 * @throws {DisposedError} an argument was disposed
 *
 * @remarks Capture-safe. No workspace. Source: https://arxiv.org/abs/1607.06450. Kernel: `layer_norm.cu`.
 */
export const layerNorm = defineOp({
  name: 'layerNorm',
  inputs: { x: { shape: ['...', 'C'] }, weight: { shape: ['C'] }, bias: { shape: ['C'] } },
  outputs: { y: { shape: ['...', 'C'], mayAlias: 'x' } },
  dtypes: ['f32', 'f16', 'bf16'],
  attributes: { eps: 1e-5 },
  kernel: 'layer_norm',
  source: 'https://arxiv.org/abs/1607.06450',
  reference({ x, weight, bias, y }, { eps }) {
    const channels = weight.data.length;
    for (let start = 0; start < x.data.length; start += channels) {
      let sum = 0;
      for (let c = 0; c < channels; c++) sum += x.data[start + c] ?? 0;
      const mean = sum / channels;
      let squares = 0;
      for (let c = 0; c < channels; c++) squares += ((x.data[start + c] ?? 0) - mean) ** 2;
      const scale = 1 / Math.sqrt(squares / channels + eps);
      for (let c = 0; c < channels; c++) {
        y.data[start + c] = ((x.data[start + c] ?? 0) - mean) * scale * (weight.data[c] ?? 0) + (bias.data[c] ?? 0);
      }
    }
  },
});
