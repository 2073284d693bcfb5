// The scheme int8-channel on plain arrays: the definition that kernels are tested against.

import { ShapeMismatchError } from '@limen/tensor';

import { NotFiniteError } from './errors/not-finite-error.js';
import { int8Channel } from './scheme.js';

/** A matrix `[N, K]` as codes `[N, K]` and scales `[N]`. */
export interface Int8ChannelArrays {
  readonly values: Int8Array;
  readonly scales: Float32Array;
}

/**
 * Quantises each row of a matrix with a scale of its own.
 *
 * `scale[n] = max_k |w[n, k]| / 127`, `code[n, k] = round(w[n, k] / scale[n])`, ties to even, in f32. A row of zeros
 * has scale 0 and codes 0. The error of a weight is at most half its row's scale.
 *
 * @param weights - `[N, K]`, row-major
 * @throws {ShapeMismatchError} `weights` does not hold `rows · columns` numbers
 * @throws {NotFiniteError} a weight is NaN or infinite
 *
 * @remarks Source: symmetric per-channel quantisation, https://arxiv.org/abs/1806.08342 §2.2.
 */
export function packInt8Channel(weights: Float32Array, rows: number, columns: number): Int8ChannelArrays {
  requireLength('packInt8Channel', 'weights', weights.length, rows * columns);
  const values = new Int8Array(weights.length);
  const scales = new Float32Array(rows);
  for (let row = 0; row < rows; row += 1) {
    const weightsOfRow = weights.subarray(row * columns, (row + 1) * columns);
    const scale = Math.fround(largestMagnitude(weightsOfRow, row) / int8Channel.largestCode);
    scales[row] = scale;
    if (scale === 0) continue;
    for (let column = 0; column < columns; column += 1) {
      const code = roundHalfToEven(Math.fround((weightsOfRow[column] ?? 0) / scale));
      values[row * columns + column] = clamp(code, int8Channel.largestCode);
    }
  }
  return { values, scales };
}

/**
 * The matrix that codes and scales stand for: `w[n, k] = code[n, k] · scale[n]`, rounded to f32.
 * @throws {ShapeMismatchError} the arrays do not hold `rows · columns` codes and `rows` scales
 */
export function unpackInt8Channel({ values, scales }: Int8ChannelArrays, rows: number, columns: number): Float32Array {
  requireLength('unpackInt8Channel', 'values', values.length, rows * columns);
  requireLength('unpackInt8Channel', 'scales', scales.length, rows);
  return Float32Array.from(values, (code, index) => code * (scales[Math.floor(index / columns)] ?? 0));
}

/** The nearest whole number; halfway cases go to the even one, as the hardware rounds. */
export function roundHalfToEven(value: number): number {
  const below = Math.floor(value);
  const fraction = value - below;
  if (fraction !== 0.5) return fraction < 0.5 ? below : below + 1;
  return below % 2 === 0 ? below : below + 1;
}

function largestMagnitude(weightsOfRow: Float32Array, row: number): number {
  let largest = 0;
  weightsOfRow.forEach((value, column) => {
    if (!Number.isFinite(value)) throw new NotFiniteError('packInt8Channel', { row, column, value });
    largest = Math.max(largest, Math.abs(value));
  });
  return largest;
}

function clamp(code: number, largest: number): number {
  return Math.min(largest, Math.max(-largest, code));
}

function requireLength(caller: string, argument: string, got: number, expected: number): void {
  if (got === expected) return;
  throw new ShapeMismatchError(
    `${caller}: ${argument} has the wrong length: expected ${expected} elements, got ${got}. Check rows and columns.`,
    { caller, argument, expected, got },
  );
}
