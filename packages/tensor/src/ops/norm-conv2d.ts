// A convolution with the group norm and the doubling of the image before it folded in.

import { choice, type ContractProblem, type Sizes } from '../op-declaration.js';
import { defineOp } from '../define-op.js';
import { conv2d } from './conv2d.js';
import { groupNorm } from './group-norm.js';
import { upsampleNearest } from './upsample-nearest.js';

/** Output pixels along an axis; the window moves by one pixel. */
function outputSize(sizes: Sizes, axis: 'H' | 'W', scale: number, padding: number): number {
  return sizes.get(axis) * scale + 2 * padding - sizes.get(`K${axis}`) + 1;
}

/** Norm weights come in pairs, groups divide channels, windows fit the padded image. */
function checkNormConvolution(
  sizes: Sizes,
  { groups, padding, scale }: Readonly<Record<string, unknown>>,
): ContractProblem | undefined {
  const [count, border, factor] = [Number(groups), Number(padding), Number(scale)];
  const channels = sizes.get('C');
  if (!Number.isInteger(count) || count < 1 || channels % count !== 0)
    return { argument: 'groups', expected: `a divisor of C = ${channels}`, got: String(groups) };
  if (!Number.isInteger(border) || border < 0)
    return { argument: 'padding', expected: 'a whole number of at least 0', got: String(padding) };
  if (factor !== 1 && factor !== 2) return { argument: 'scale', expected: '1 or 2', got: String(scale) };
  for (const axis of ['H', 'W'] as const) {
    const [kernel, expected] = [sizes.get(`K${axis}`), outputSize(sizes, axis, factor, border)];
    if (kernel < 1 || expected < 1) {
      const most = sizes.get(axis) * factor + 2 * border;
      return { argument: 'weight', expected: `1 ≤ K${axis} ≤ ${axis} · scale + 2·padding = ${most}`, got: `${kernel}` };
    }
    if (sizes.has('residual') && sizes.get(`O${axis}`) !== expected)
      return { argument: 'residual', expected: `O${axis} = ${expected}`, got: String(sizes.get(`O${axis}`)) };
  }
  return undefined;
}

/**
 * Norms an image, doubles it, slides a bank of kernels over it, and adds a bias and a residual.
 *
 * The same as `groupNorm`, `upsampleNearest` and `conv2d` in turn, each of the first two only when it is asked for;
 * neither the normed image nor the doubled one is written where the device has tensor cores for it.
 *
 * @param inputs.x - `[B, H, W, C]` f32 | f16 | bf16, contiguous
 * @param inputs.normWeight - `[C]`; absent: no norm
 * @param inputs.normBias - `[C]`, with `normWeight`
 * @param inputs.weight - `[O, KH, KW, C]`, type and device of `x`
 * @param inputs.bias - `[O]`, optional
 * @param inputs.residual - `[B, OH, OW, O]`, optional
 * @param options.groups - groups of the norm; divides `C`; default 32
 * @param options.epsilon - added to the variance; default `1e-6`
 * @param options.activation - `none` | `silu`, behind the norm; default `none`
 * @param options.padding - pixels of zeros on every side of what is convolved; default `0`
 * @param options.scale - 1, or 2 to double height and width first; default `1`
 * @param options.constantWeight - as in `linear`; default `false`
 * @param options.out - `[B, OH, OW, O]`; may be `residual` itself; default: a new tensor that the caller disposes
 * @returns `[B, OH, OW, O]` with `OH = scale·H + 2·padding − KH + 1`, `OW` likewise
 * @throws {ShapeMismatchError} sizes disagree, or an option is outside its range
 * @throws {UnsupportedDTypeError} a type outside the list above
 * @throws {DisposedError} an argument was disposed
 *
 * @remarks Capture-safe. Deterministic. Sources: https://arxiv.org/abs/1803.08494, https://arxiv.org/abs/1410.0759.
 * Kernel: `norm_conv2d.cu`.
 */
export const normConv2d = defineOp({
  name: 'normConv2d',
  inputs: {
    x: { shape: ['B', 'H', 'W', 'C'] },
    normWeight: { shape: ['C'], optional: true },
    normBias: { shape: ['C'], optional: true },
    weight: { shape: ['O', 'KH', 'KW', 'C'] },
    bias: { shape: ['O'], optional: true },
    residual: { shape: ['B', 'OH', 'OW', 'O'], optional: true },
  },
  outputs: {
    y: {
      shape: (sizes, { scale, padding }) => [
        sizes.get('B'),
        outputSize(sizes, 'H', Number(scale), Number(padding)),
        outputSize(sizes, 'W', Number(scale), Number(padding)),
        sizes.get('O'),
      ],
      mayAlias: 'residual',
    },
  },
  dtypes: ['f32', 'f16', 'bf16'],
  attributes: {
    groups: 32,
    epsilon: 1e-6,
    activation: choice('none', 'silu'),
    padding: 0,
    scale: 1,
    constantWeight: false,
  },
  check: checkNormConvolution,
  kernel: 'norm_conv2d',
  source: 'https://arxiv.org/abs/1803.08494',
  reference({ x, normWeight, normBias, weight, bias, residual, y }, { groups, epsilon, activation, padding, scale }) {
    let image = x;
    if (normWeight !== undefined && normBias !== undefined) {
      const normed = { data: new Float32Array(x.data.length), shape: x.shape };
      const inputs = { x, weight: normWeight, bias: normBias, y: normed };
      groupNorm.declaration.reference(inputs, { groups, eps: epsilon, activation });
      image = normed;
    }
    if (scale !== 1) {
      const [images = 0, height = 0, width = 0, channels = 0] = x.shape;
      const shape = [images, height * scale, width * scale, channels];
      const larger = { data: new Float32Array(x.data.length * scale * scale), shape };
      upsampleNearest.declaration.reference({ x: image, y: larger }, { scale });
      image = larger;
    }
    conv2d.declaration.reference({ x: image, weight, bias, residual, y }, { stride: 1, padding });
  },
});
