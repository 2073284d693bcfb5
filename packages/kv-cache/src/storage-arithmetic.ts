// How one key or value vector becomes stored elements and scales, and back. The definition that the kernels follow
// (device/storage_format.cuh), in plain loops. Pure arithmetic; sizes and types of the formats: storage-formats.ts.

import { fromFloat16Bits, fromFloat8Bits, toFloat16Bits, toFloat8Bits } from '@limen/tensor';

import type { ScaledCacheDType } from './storage-formats.js';

/** Stored elements as references see them: `fp8` as rounded f32, `int8` as i8, `int4` as u8 with two elements each. */
export type StoredElements = Float32Array | Int8Array | Uint8Array;

const { fround } = Math;
/** A vector whose largest magnitude would need a scale below this is stored as zeros: its reciprocal stays finite. */
const smallestScale = 2 ** -100;
const largestFloat16 = 65504;

/**
 * Stores one vector.
 *
 * - `fp8`: `scale = max|x| / 448`, element = `x · (1 / scale)` rounded to e4m3
 * - `int8`: `scale = max|x| / 127`, element = `x · (1 / scale)` rounded to a whole number
 * - `int4`: `scale = (max − min) / 15` and `lowest = min`, both rounded to f16 first; element =
 *   `(x − lowest) · (1 / scale)` rounded to a whole number in 0 … 15; the even element of a byte in the low nibble
 *
 * Rounding is to nearest, ties to even; `1 / scale` is rounded to f32 once, so that a kernel multiplies. Scale 0 stands
 * for a vector of zeros (`int4`: of equal values), and goes with elements of 0.
 *
 * @param source - `[D]`, finite
 * @param elements - written: `[D]`, for `int4` `[D / 2]`
 * @param scales - written: `[1]`, for `int4` `[2]` (scale, lowest)
 */
export function encodeVector(
  format: ScaledCacheDType,
  source: Float32Array,
  elements: StoredElements,
  scales: Float32Array,
): void {
  if (format === 'int4') return encodeInt4(source, elements, scales);
  let largest = 0;
  for (const value of source) largest = Math.max(largest, Math.abs(value));
  const scale = fround(largest / (format === 'fp8' ? 448 : 127));
  const inverse = reciprocal(scale);
  scales[0] = inverse === 0 ? 0 : scale;
  for (const [index, value] of source.entries()) {
    elements[index] =
      format === 'fp8'
        ? fromFloat8Bits(toFloat8Bits(fround(value * inverse)))
        : Math.max(-127, Math.min(127, roundHalfToEven(value * inverse)));
  }
}

/**
 * Reads one stored vector: `element · scale`, for `int4` `nibble · scale + lowest`, rounded to f32.
 *
 * @param elements - `[D]`, for `int4` `[D / 2]`
 * @param scales - `[1]`, for `int4` `[2]` (scale, lowest)
 * @param target - written: `[D]`
 */
export function decodeVector(
  format: ScaledCacheDType,
  elements: StoredElements,
  scales: Float32Array,
  target: Float32Array,
): void {
  const [scale = 0, lowest = 0] = scales;
  for (let index = 0; index < target.length; index++) {
    if (format === 'int4') {
      const nibble = ((elements[index >> 1] ?? 0) >> (4 * (index % 2))) & 15;
      target[index] = fround(nibble * scale) + lowest;
    } else {
      target[index] = (elements[index] ?? 0) * scale;
    }
  }
}

function encodeInt4(source: Float32Array, elements: StoredElements, scales: Float32Array): void {
  let [low, high] = source.length === 0 ? [0, 0] : [Infinity, -Infinity];
  for (const value of source) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  const scale = roundToFloat16(fround(fround(high - low) / 15));
  const lowest = roundToFloat16(low);
  const inverse = reciprocal(scale);
  scales[0] = scale;
  scales[1] = lowest;
  const nibble = (value: number) => roundHalfToEven(Math.max(0, Math.min(15, fround(value - lowest) * inverse)));
  for (let pair = 0; pair < source.length / 2; pair++) {
    elements[pair] = nibble(source[2 * pair] ?? 0) | (nibble(source[2 * pair + 1] ?? 0) << 4);
  }
}

/** `1 / scale` in f32; 0 for a scale too small to have one. */
function reciprocal(scale: number): number {
  return scale < smallestScale ? 0 : fround(1 / scale);
}

/** Nearest f16 value, saturating: an infinite scale would turn the whole vector into NaN. */
function roundToFloat16(value: number): number {
  return fromFloat16Bits(toFloat16Bits(Math.max(-largestFloat16, Math.min(largestFloat16, value))));
}

function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}
