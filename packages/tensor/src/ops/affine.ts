// Elementwise scale and offset by two numbers.

import { defineOp } from '../define-op.js';

/**
 * Scales by one number and adds another: also advances positions, lengths and counters on the device.
 *
 * `y = scale · x + offset`, elementwise. Floats: in f32, rounded once. i32: in f64, truncated towards zero, saturated.
 *
 * @param inputs.x - `[...]` f32 | f16 | bf16 | i32, contiguous
 * @param options.scale - dimensionless; default 1
 * @param options.offset - in the unit of `x`; default 0
 * @param options.out - shape of `x`; may be `x` itself; default: a new tensor that the caller disposes
 * @returns shape, type and device of `x`
 * @throws {UnsupportedDTypeError} a type outside the list above
 * @throws {DisposedError} an argument was disposed
 *
 * @remarks Capture-safe. No workspace. Source: https://en.wikipedia.org/wiki/Affine_transformation.
 * Kernel: `affine.cu`.
 */
export const affine = defineOp({
  name: 'affine',
  inputs: { x: { shape: ['...'] } },
  outputs: { y: { shape: ['...'], mayAlias: 'x' } },
  dtypes: ['f32', 'f16', 'bf16', 'i32'],
  attributes: { scale: 1, offset: 0 },
  kernel: 'affine',
  source: 'https://en.wikipedia.org/wiki/Affine_transformation',
  reference({ x, y }, { scale, offset }) {
    const isInteger = (y.data as unknown) instanceof Int32Array;
    for (const [index, value] of x.data.entries()) {
      const result = scale * value + offset;
      y.data[index] = isInteger ? Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, result)) : result;
    }
  },
});
