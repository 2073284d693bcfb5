// RMS normalisation over the last axis.

import { defineOp } from '../define-op.js';

/**
 * Scales each row to unit root mean square, then by a weight per channel.
 *
 * `y[..., c] = x[..., c] · (mean_c(x²) + eps)^(−1/2) · weight[c]` (accumulates in f32)
 *
 * @param inputs.x - `[..., C]` f32 | f16 | bf16, contiguous
 * @param inputs.weight - `[C]`, type and device of `x`
 * @param options.eps - added to the mean square; dimensionless; default `1e-6`
 * @param options.castBeforeWeight - round the normalised row to the type of `x` before the weight (Llama), or do all in
 *   f32 and round once (GLM); default `true`
 * @param options.out - `[..., C]`; may be `x` itself; default: a new tensor that the caller disposes
 * @returns `[..., C]`, type and device of `x`
 * @throws {ShapeMismatchError} `weight` is not `[C]`
 * @throws {UnsupportedDTypeError} a type outside the list above
 * @throws {DisposedError} an argument was disposed
 *
 * @remarks Capture-safe. No workspace. Source: https://arxiv.org/abs/1910.07467. Kernel: `rms_norm.cu`.
 */
export const rmsNorm = defineOp({
  name: 'rmsNorm',
  inputs: { x: { shape: ['...', 'C'] }, weight: { shape: ['C'] } },
  outputs: { y: { shape: ['...', 'C'], mayAlias: 'x' } },
  dtypes: ['f32', 'f16', 'bf16'],
  attributes: { eps: 1e-6, castBeforeWeight: true },
  kernel: 'rms_norm',
  source: 'https://arxiv.org/abs/1910.07467',
  reference({ x, weight, y }, { eps }) {
    const channels = weight.data.length;
    for (let start = 0; start < x.data.length; start += channels) {
      let sum = 0;
      for (let c = 0; c < channels; c++) sum += (x.data[start + c] ?? 0) ** 2;
      const scale = 1 / Math.sqrt(sum / channels + eps);
      for (let c = 0; c < channels; c++) y.data[start + c] = (x.data[start + c] ?? 0) * scale * (weight.data[c] ?? 0);
    }
  },
});
