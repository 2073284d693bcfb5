// Bicubic resampling, equal bit for bit to Pillow's Image.resize(size, BICUBIC) on RGB: a model's answers depend on it.
// Two passes, horizontal then vertical, with 22-bit fixed-point weights and rounding to 8 bits in between.
// Source: Pillow src/libImaging/Resample.c.

import type { RgbImage } from './rgb-image.js';

const precisionBits = 22;
const half = 2 ** (precisionBits - 1);

/** For every output sample: where its input begins, how many there are, and their weights. */
interface Weights {
  readonly starts: Int32Array;
  readonly counts: Int32Array;
  /** `[outputs, longest]` */
  readonly values: Int32Array;
  readonly longest: number;
}

/**
 * Resizes a picture.
 *
 * @param width - pixels
 * @param height - pixels
 * @returns a new picture, or `image` itself when the size does not change
 */
export function resizeBicubic(image: RgbImage, width: number, height: number): RgbImage {
  // Pillow skips a pass that would not change the size; so must we, since a pass rounds.
  const narrowed = width === image.width ? image : resizeRows(image, width);
  return height === narrowed.height ? narrowed : resizeColumns(narrowed, height);
}

function resizeRows(image: RgbImage, width: number): RgbImage {
  const { height, data } = image;
  const { starts, counts, values, longest } = weightsOf(image.width, width);
  const result = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    const row = y * image.width;
    for (let x = 0; x < width; x++) {
      const count = counts[x] ?? 0;
      let source = (row + (starts[x] ?? 0)) * 3;
      let red = half;
      let green = half;
      let blue = half;
      for (let tap = 0, at = x * longest; tap < count; tap++, at++, source += 3) {
        const weight = values[at] ?? 0;
        red += weight * (data[source] ?? 0);
        green += weight * (data[source + 1] ?? 0);
        blue += weight * (data[source + 2] ?? 0);
      }
      const target = (y * width + x) * 3;
      result[target] = toByte(red);
      result[target + 1] = toByte(green);
      result[target + 2] = toByte(blue);
    }
  }
  return { width, height, data: result };
}

function resizeColumns(image: RgbImage, height: number): RgbImage {
  const { width, data } = image;
  const { starts, counts, values, longest } = weightsOf(image.height, height);
  const samples = width * 3;
  const result = new Uint8Array(samples * height);
  const sums = new Int32Array(samples);
  for (let y = 0; y < height; y++) {
    sums.fill(half);
    // Whole rows at a time, so that memory is read in order.
    for (let tap = 0; tap < (counts[y] ?? 0); tap++) {
      const weight = values[y * longest + tap] ?? 0;
      const source = ((starts[y] ?? 0) + tap) * samples;
      for (let x = 0; x < samples; x++) sums[x] = (sums[x] ?? 0) + weight * (data[source + x] ?? 0);
    }
    for (let x = 0; x < samples; x++) result[y * samples + x] = toByte(sums[x] ?? 0);
  }
  return { width, height, data: result };
}

// Sums stay within 32 bits: weights add up to 2^22, and their negative parts to a fraction of that.
function toByte(sum: number): number {
  const value = sum >> precisionBits;
  return value < 0 ? 0 : value > 255 ? 255 : value;
}

function weightsOf(inputs: number, outputs: number): Weights {
  const scale = inputs / outputs;
  // Shrinking widens the filter, which is what keeps fine patterns from turning into coarse ones.
  const filterScale = Math.max(scale, 1);
  const support = 2 * filterScale;
  const longest = Math.ceil(support) * 2 + 1;
  const starts = new Int32Array(outputs);
  const counts = new Int32Array(outputs);
  const values = new Int32Array(outputs * longest);
  const exact = new Float64Array(longest);
  for (let output = 0; output < outputs; output++) {
    const centre = (output + 0.5) * scale;
    const start = Math.max(Math.trunc(centre - support + 0.5), 0);
    const end = Math.min(Math.trunc(centre + support + 0.5), inputs);
    let total = 0;
    for (let tap = 0; tap < end - start; tap++) {
      const weight = cubic((tap + start - centre + 0.5) * (1 / filterScale));
      exact[tap] = weight;
      total += weight;
    }
    starts[output] = start;
    counts[output] = end - start;
    for (let tap = 0; tap < end - start; tap++) {
      const weight = ((exact[tap] ?? 0) / total) * 2 ** precisionBits;
      values[output * longest + tap] = Math.trunc(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
  }
  return { starts, counts, values, longest };
}

// Keys' cubic convolution with a = -0.5.
function cubic(distance: number): number {
  const a = -0.5;
  const x = Math.abs(distance);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}
