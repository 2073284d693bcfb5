// Group normalisation of images with channels last.

import { choice, type ContractProblem, type Sizes } from '../op-declaration.js';
import { defineOp } from '../define-op.js';

/** C is a multiple of the number of groups. */
function checkGroups(sizes: Sizes, groups: number): ContractProblem | undefined {
  const channels = sizes.get('C');
  if (Number.isInteger(groups) && groups > 0 && channels % groups === 0) return undefined;
  return { argument: 'groups', expected: `a divisor of C = ${channels}`, got: String(groups) };
}

/**
 * Shifts and scales each image to mean 0 and variance 1 within groups of neighbouring channels, then by a weight and a
 * bias per channel.
 *
 * `y[b, i, j, c] = act((x[b, i, j, c] − mean) · (variance + eps)^(−1/2) · weight[c] + bias[c])`, mean and variance over all
 * pixels of image `b` and the `C / groups` channels of the group of `c` (in f32, merged without cancellation)
 *
 * @param inputs.x - `[B, H, W, C]` f32 | f16 | bf16, contiguous, channels last
 * @param inputs.weight - `[C]`, type and device of `x`
 * @param inputs.bias - `[C]`, type and device of `x`
 * @param options.groups - number of groups; divides `C`; default 32
 * @param options.eps - added to the variance; dimensionless; default `1e-6`
 * @param options.activation - `none` | `silu`, applied last; default `none`
 * @param options.out - `[B, H, W, C]`; may be `x` itself; default: a new tensor that the caller disposes
 * @returns `[B, H, W, C]`, type and device of `x`
 * @throws {ShapeMismatchError} `weight` or `bias` is not `[C]`, or `groups` does not divide `C`
 * @throws {UnsupportedDTypeError} a type outside the list above
 * @throws {DisposedError} an argument was disposed
 *
 * @remarks Capture-safe. Workspace: about 8 KiB per image and group. Deterministic. Source:
 * https://arxiv.org/abs/1803.08494. Kernel: `group_norm.cu`.
 */
export const groupNorm = defineOp({
  name: 'groupNorm',
  inputs: { x: { shape: ['B', 'H', 'W', 'C'] }, weight: { shape: ['C'] }, bias: { shape: ['C'] } },
  outputs: { y: { shape: ['B', 'H', 'W', 'C'], mayAlias: 'x' } },
  dtypes: ['f32', 'f16', 'bf16'],
  attributes: { groups: 32, eps: 1e-6, activation: choice('none', 'silu') },
  check: (sizes, { groups }) => checkGroups(sizes, Number(groups)),
  kernel: 'group_norm',
  source: 'https://arxiv.org/abs/1803.08494',
  reference({ x, weight, bias, y }, { groups, eps, activation }) {
    const [images = 0, height = 0, width = 0, channels = 0] = x.shape;
    const pixels = height * width;
    const size = channels / groups;
    for (let image = 0; image < images; image++) {
      for (let group = 0; group < groups; group++) {
        const start = image * pixels * channels + group * size;
        const forEach = (visit: (index: number, channel: number) => void) => {
          for (let pixel = 0; pixel < pixels; pixel++) {
            for (let c = 0; c < size; c++) visit(start + pixel * channels + c, group * size + c);
          }
        };
        let sum = 0;
        forEach((index) => (sum += x.data[index] ?? 0));
        const mean = sum / (pixels * size);
        let squares = 0;
        forEach((index) => (squares += ((x.data[index] ?? 0) - mean) ** 2));
        const scale = 1 / Math.sqrt(squares / (pixels * size) + eps);
        forEach((index, c) => {
          const value = ((x.data[index] ?? 0) - mean) * scale * (weight.data[c] ?? 0) + (bias.data[c] ?? 0);
          y.data[index] = activation === 'silu' ? value / (1 + Math.exp(-value)) : value;
        });
      }
    }
  },
});
