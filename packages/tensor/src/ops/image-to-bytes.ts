// Pixels of a decoder to bytes of a picture.

import { defineOp } from '../define-op.js';

/**
 * Maps pixels from `[−1, 1]` to bytes.
 *
 * `y = trunc(clip((x + 1) / 2 · 255, 0, 255))`, each step one f32 operation; NaN becomes 0
 *
 * @param inputs.x - `[B, H, W, 3]` f32 | f16 | bf16, contiguous, channels last: red, green, blue
 * @param options.out - `[B, H, W, 3]` u8; default: a new tensor that the caller disposes
 * @returns `[B, H, W, 3]` u8, on the device of `x`
 * @throws {ShapeMismatchError} `x` is not `[B, H, W, 3]`
 * @throws {UnsupportedDTypeError} a type outside the list above
 * @throws {DisposedError} an argument was disposed
 *
 * @remarks Capture-safe. No workspace. Source: https://github.com/deepseek-ai/Janus (`generation_inference.py`). Kernel:
 * `image_to_bytes.cu`.
 */
export const imageToBytes = defineOp({
  name: 'imageToBytes',
  inputs: { x: { shape: ['B', 'H', 'W', 3] } },
  outputs: { y: { shape: ['B', 'H', 'W', 3], dtype: 'u8' } },
  dtypes: ['f32', 'f16', 'bf16'],
  kernel: 'image_to_bytes',
  source: 'https://github.com/deepseek-ai/Janus/blob/main/generation_inference.py',
  reference({ x, y }) {
    for (const [index, value] of x.data.entries()) {
      // Rounded to f32 after each step: truncation turns a difference in the last bit into another byte.
      const level = Math.fround((Math.fround(value + 1) / 2) * 255);
      y.data[index] = Number.isNaN(level) ? 0 : Math.trunc(Math.max(0, Math.min(255, level)));
    }
  },
});
