// Enlarges images by repeating pixels.

import { defineOp } from '../define-op.js';
import type { ContractProblem } from '../op-declaration.js';

function checkScale(scale: number): ContractProblem | undefined {
  if (Number.isInteger(scale) && scale >= 1) return undefined;
  return { argument: 'scale', expected: 'a whole number of at least 1', got: String(scale) };
}

/**
 * Turns every pixel into a square of `scale × scale` equal pixels.
 *
 * `y[b, i, j, c] = x[b, ⌊i / scale⌋, ⌊j / scale⌋, c]`
 *
 * @param inputs.x - `[B, H, W, C]` f32 | f16 | bf16, contiguous, channels last
 * @param options.scale - pixels per pixel along each side; a whole number; default 2
 * @param options.out - `[B, H·scale, W·scale, C]`; default: a new tensor that the caller disposes
 * @returns `[B, H·scale, W·scale, C]`, type and device of `x`; values are copied bit by bit
 * @throws {ShapeMismatchError} `x` does not have four axes, or `scale` is not a whole number of at least 1
 * @throws {UnsupportedDTypeError} a type outside the list above
 * @throws {DisposedError} an argument was disposed
 *
 * @remarks Capture-safe. No workspace. Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.interpolate.html
 * (mode nearest). Kernel: `upsample_nearest.cu`.
 */
export const upsampleNearest = defineOp({
  name: 'upsampleNearest',
  inputs: { x: { shape: ['B', 'H', 'W', 'C'] } },
  outputs: {
    y: {
      shape: (sizes, { scale }) => [
        sizes.get('B'),
        sizes.get('H') * Number(scale),
        sizes.get('W') * Number(scale),
        sizes.get('C'),
      ],
    },
  },
  dtypes: ['f32', 'f16', 'bf16'],
  attributes: { scale: 2 },
  check: (_, { scale }) => checkScale(Number(scale)),
  kernel: 'upsample_nearest',
  source: 'https://pytorch.org/docs/stable/generated/torch.nn.functional.interpolate.html',
  reference({ x, y }, { scale }) {
    const [, height = 0, width = 0, channels = 0] = x.shape;
    for (let index = 0; index < y.data.length; index++) {
      const c = index % channels;
      const pixel = Math.floor(index / channels);
      const j = pixel % (width * scale);
      const row = Math.floor(pixel / (width * scale)); // rows of all images, counted through
      const image = Math.floor(row / (height * scale));
      const i = row % (height * scale);
      const source = (image * height + Math.floor(i / scale)) * width + Math.floor(j / scale);
      y.data[index] = x.data[source * channels + c] ?? 0;
    }
  },
});
