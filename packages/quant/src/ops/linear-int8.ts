// Projection with one signed byte per weight. Full-precision weights: linear of @limen/tensor.

import { choice, defineOp, linear } from '@limen/tensor';

/**
 * Multiplies each row by a quantised weight, then adds a bias, applies an activation and adds a residual.
 *
 * `y[..., n] = activation(scales[n] · Σ_k x[..., k] · weight[n, k] + bias[n]) + residual[..., n]` (accumulates in f32)
 *
 * @param inputs.x - `[..., K]` f32 | f16 | bf16, contiguous
 * @param inputs.weight - `[N, K]` i8, as {@link quantizeInt8} makes it
 * @param inputs.scales - `[N]` f32
 * @param inputs.bias - `[N]`, type of `x`, optional
 * @param inputs.residual - `[..., N]`, type of `x`, optional; added after the activation
 * @param options.activation - `none`, `gelu` (exact, with the error function) or `silu`; default `none`
 * @param options.constantWeight - promises that no op that may still be running writes `weight`; default `false`
 * @param options.out - `[..., N]`; may be `residual` itself; default: a new tensor that the caller disposes
 * @returns `[..., N]`, type and device of `x`
 * @throws {ShapeMismatchError} sizes `K`, `N` or the leading axes disagree
 * @throws {UnsupportedDTypeError} a type outside the list above
 * @throws {DisposedError} an argument was disposed
 *
 * @remarks Capture-safe. No workspace. Half the memory traffic of a 16-bit weight.
 * Source: https://arxiv.org/abs/1806.08342 §2.2. Kernel: `linear_int8.cu`.
 */
export const linearInt8 = defineOp({
  name: 'linearInt8',
  inputs: {
    x: { shape: ['...', 'K'] },
    weight: { shape: ['N', 'K'], dtype: ['i8'] },
    scales: { shape: ['N'], dtype: ['f32'] },
    bias: { shape: ['N'], optional: true },
    residual: { shape: ['...', 'N'], optional: true },
  },
  outputs: { y: { shape: ['...', 'N'], mayAlias: 'residual' } },
  dtypes: ['f32', 'f16', 'bf16'],
  attributes: { activation: choice('none', 'gelu', 'silu'), constantWeight: false },
  kernel: 'linear_int8',
  source: 'https://arxiv.org/abs/1806.08342',
  reference({ weight, scales, ...rest }, attributes) {
    const [, length = 0] = weight.shape;
    const widened = Float32Array.from(
      weight.data,
      (code, index) => code * (scales.data[Math.floor(index / length)] ?? 0),
    );
    linear.declaration.reference({ ...rest, weight: { data: widened, shape: weight.shape } }, attributes);
  },
});
