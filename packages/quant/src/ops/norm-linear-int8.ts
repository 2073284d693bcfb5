// normLinear with one signed byte per weight.

import { checkGated, defineOp, normLinear, projectedShape } from '@limen/tensor';

/**
 * Norms each row, multiplies it by a quantised weight, and joins the two halves of the result if it is gated.
 *
 * As `normLinear`, with `weight[n, k] · scales[n]` in the place of the weight.
 *
 * @param inputs.x - `[..., K]` f32 | f16 | bf16, contiguous
 * @param inputs.normWeight - `[K]`, type and device of `x`
 * @param inputs.weight - `[N, K]` i8, as {@link quantizeInt8} makes it; gated: `N = 2F`, the gate's rows, then the up's
 * @param inputs.scales - `[N]` f32
 * @param inputs.bias - `[N]`, type of `x`, optional
 * @param options.epsilon - added to the mean square; default 1e-6
 * @param options.gated - whether `y` is `silu(gate) · up`; default `false`
 * @param options.constantWeight - as in `linear`; default `false`
 * @param options.out - `[..., N]`, gated `[..., F]`; default: a new tensor that the caller disposes
 * @returns `[..., N]`, gated `[..., F]`, type and device of `x`
 * @throws {ShapeMismatchError} sizes disagree, or a gated weight has an odd number of rows
 * @throws {UnsupportedDTypeError} a type outside the list above
 * @throws {DisposedError} an argument was disposed
 *
 * @remarks Capture-safe. No workspace. Source: https://arxiv.org/abs/1806.08342 §2.2. Kernel: `norm_linear_int8.cu`.
 */
export const normLinearInt8 = defineOp({
  name: 'normLinearInt8',
  inputs: {
    x: { shape: ['...', 'K'] },
    normWeight: { shape: ['K'] },
    weight: { shape: ['N', 'K'], dtype: ['i8'] },
    scales: { shape: ['N'], dtype: ['f32'] },
    bias: { shape: ['N'], optional: true },
  },
  outputs: { y: { shape: projectedShape } },
  dtypes: ['f32', 'f16', 'bf16'],
  attributes: { epsilon: 1e-6, gated: false, constantWeight: false },
  check: checkGated,
  kernel: 'norm_linear_int8',
  source: 'https://arxiv.org/abs/1806.08342',
  reference({ weight, scales, ...rest }, attributes) {
    const [, length = 0] = weight.shape;
    const widened = Float32Array.from(
      weight.data,
      (code, index) => code * (scales.data[Math.floor(index / length)] ?? 0),
    );
    normLinear.declaration.reference({ ...rest, weight: { data: widened, shape: weight.shape } }, attributes);
  },
});
