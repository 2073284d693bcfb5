// Converts between element types.

import { defineOp } from '../define-op.js';
import type { DType } from '../dtype.js';
import {
  decodeBFloat16,
  decodeFloat16,
  decodeFloat8,
  encodeBFloat16,
  encodeFloat16,
  encodeFloat8,
} from '../number-formats.js';
import { choice } from '../op-declaration.js';

/** Least and greatest value of each integer type. */
const integerRanges: Partial<Record<DType, readonly [number, number]>> = {
  i32: [-(2 ** 31), 2 ** 31 - 1],
  i8: [-128, 127],
  u8: [0, 255],
};

/** Values as they are after a stay in a type: rounded, saturated. */
function roundTo(values: Float32Array, dtype: DType): Float32Array {
  if (dtype === 'bf16') return decodeBFloat16(encodeBFloat16(values));
  if (dtype === 'f16') return decodeFloat16(encodeFloat16(values));
  if (dtype === 'f8e4m3') return decodeFloat8(encodeFloat8(values));
  return values;
}

/**
 * Converts a tensor to another element type.
 *
 * To a float: rounded to nearest, ties to even; `f8e4m3` saturates at ±448, `f16` overflows to infinity. To an integer:
 * truncated towards zero, saturated, NaN becomes 0. An i32 beyond 2^24 is first rounded to f32.
 *
 * @param inputs.x - `[...]` of any type, contiguous
 * @param options.dtype - `f32` | `f16` | `bf16` | `f8e4m3` | `i32` | `i8` | `u8`; default `f32`
 * @param options.out - shape of `x`, of the type asked for; default: a new tensor that the caller disposes
 * @returns shape and device of `x`
 * @throws {ShapeMismatchError} `out` has another shape or type
 * @throws {DisposedError} an argument was disposed
 *
 * @remarks Capture-safe. No workspace. Source: https://arxiv.org/abs/2209.05433 (e4m3). Kernel: `cast.cu`.
 */
export const cast = defineOp({
  name: 'cast',
  inputs: { x: { shape: ['...'] } },
  outputs: { y: { shape: ['...'], dtype: ({ dtype }) => dtype as DType } },
  dtypes: ['f32', 'f16', 'bf16', 'i32', 'i8', 'u8', 'f8e4m3'],
  attributes: { dtype: choice('f32', 'f16', 'bf16', 'f8e4m3', 'i32', 'i8', 'u8') },
  kernel: 'cast',
  source: 'https://arxiv.org/abs/2209.05433',
  reference({ x, y }, { dtype }) {
    const range = integerRanges[dtype];
    if (range === undefined) {
      y.data.set(roundTo(Float32Array.from(x.data), dtype));
      return;
    }
    const [least, greatest] = range;
    for (const [index, value] of x.data.entries()) {
      y.data[index] = Number.isNaN(value) ? 0 : Math.trunc(Math.max(least, Math.min(greatest, value)));
    }
  },
});
