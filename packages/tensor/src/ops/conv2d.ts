// Two-dimensional convolution, channels last.

import { defineOp } from '../define-op.js';

function outputSize(size: number, kernel: number, stride: number, padding: number): number {
  return Math.floor((size + 2 * padding - kernel) / stride) + 1;
}

/**
 * Slides a bank of kernels over images and adds a bias and a residual.
 *
 * `y[b, i, j, o] = Σ x[b, i·stride + u − padding, j·stride + v − padding, c] · weight[o, u, v, c] + bias[o]
 * + residual[b, i, j, o]`, zero outside the image (accumulates in f32)
 *
 * @param inputs.x - `[B, H, W, C]` f32 | f16 | bf16, contiguous
 * @param inputs.weight - `[O, KH, KW, C]`, type and device of `x`
 * @param inputs.bias - `[O]`, optional
 * @param inputs.residual - `[B, OH, OW, O]`, optional
 * @param options.stride - pixels from one window to the next; default `1`
 * @param options.padding - pixels of zeros on every side; default `0`
 * @param options.out - `[B, OH, OW, O]`; may be `residual` itself; default: a new tensor that the caller disposes
 * @returns `[B, OH, OW, O]` with `OH = ⌊(H + 2·padding − KH) / stride⌋ + 1`, `OW` likewise
 * @throws {ShapeMismatchError} sizes disagree, the kernel is larger than the padded image, `stride` < 1 or `padding` < 0
 * @throws {UnsupportedDTypeError} a type outside the list above
 * @throws {DisposedError} an argument was disposed
 *
 * @remarks Capture-safe. No workspace: patches are gathered on the way into the tensor cores.
 * Source: https://arxiv.org/abs/1410.0759. Kernel: `conv2d.cu`.
 */
export const conv2d = defineOp({
  name: 'conv2d',
  inputs: {
    x: { shape: ['B', 'H', 'W', 'C'] },
    weight: { shape: ['O', 'KH', 'KW', 'C'] },
    bias: { shape: ['O'], optional: true },
    residual: { shape: ['B', 'OH', 'OW', 'O'], optional: true },
  },
  outputs: {
    y: {
      shape: (sizes, { stride, padding }) => [
        sizes.get('B'),
        outputSize(sizes.get('H'), sizes.get('KH'), Number(stride), Number(padding)),
        outputSize(sizes.get('W'), sizes.get('KW'), Number(stride), Number(padding)),
        sizes.get('O'),
      ],
      mayAlias: 'residual',
    },
  },
  dtypes: ['f32', 'f16', 'bf16'],
  attributes: { stride: 1, padding: 0 },
  check(sizes, { stride, padding }) {
    const [step, border] = [Number(stride), Number(padding)];
    if (!Number.isInteger(step) || step < 1)
      return { argument: 'stride', expected: 'a whole number of at least 1', got: String(stride) };
    if (!Number.isInteger(border) || border < 0)
      return { argument: 'padding', expected: 'a whole number of at least 0', got: String(padding) };
    for (const axis of ['H', 'W']) {
      const [size, kernel] = [sizes.get(axis), sizes.get(`K${axis}`)];
      const expected = outputSize(size, kernel, step, border);
      if (kernel < 1 || expected < 1) {
        return {
          argument: 'weight',
          expected: `1 ≤ K${axis} ≤ ${axis} + 2·padding = ${size + 2 * border}`,
          got: String(kernel),
        };
      }
      if (sizes.has('residual') && sizes.get(`O${axis}`) !== expected) {
        return { argument: 'residual', expected: `O${axis} = ${expected}`, got: String(sizes.get(`O${axis}`)) };
      }
    }
    return undefined;
  },
  kernel: 'conv2d',
  source: 'https://arxiv.org/abs/1410.0759',
  reference({ x, weight, bias, residual, y }, { stride, padding }) {
    const [, height = 0, width = 0, channels = 0] = x.shape;
    const [, kernelHeight = 0, kernelWidth = 0] = weight.shape;
    const [, outHeight = 0, outWidth = 0, outChannels = 0] = y.shape;
    for (let index = 0; index < y.data.length; index++) {
      const o = index % outChannels;
      const pixel = Math.floor(index / outChannels);
      const left = (pixel % outWidth) * stride - padding;
      const top = (Math.floor(pixel / outWidth) % outHeight) * stride - padding;
      const image = Math.floor(pixel / outWidth / outHeight);
      let sum = (bias?.data[o] ?? 0) + (residual?.data[index] ?? 0);
      for (let u = Math.max(0, -top); u < Math.min(kernelHeight, height - top); u++) {
        for (let v = Math.max(0, -left); v < Math.min(kernelWidth, width - left); v++) {
          const xAt = ((image * height + top + u) * width + left + v) * channels;
          const weightAt = ((o * kernelHeight + u) * kernelWidth + v) * channels;
          for (let c = 0; c < channels; c++) sum += (x.data[xAt + c] ?? 0) * (weight.data[weightAt + c] ?? 0);
        }
      }
      y.data[index] = sum;
    }
  },
});
