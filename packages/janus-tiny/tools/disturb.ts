// Makes a painted picture look like a drawing of a neural network: soft edges and uneven paint.

import type { RgbImage } from '@limen/models-janus';

import { Random } from '../src/world/random.js';

/** How much a picture is disturbed. */
export interface Disturbance {
  /** Standard deviation of the Gaussian blur, pixels. */
  readonly blur: number;
  /** Standard deviation of the noise, of 255. */
  readonly noise: number;
}

/** Blurs a picture and adds noise to it. */
export function disturb({ width, height, data }: RgbImage, { blur, noise }: Disturbance, seed: number): RgbImage {
  const random = new Random(seed, 99);
  const across = blurAlong(Float32Array.from(data), blur, { length: width, step: 3, lines: lineStarts(height, width * 3) });
  const soft = blurAlong(across, blur, { length: height, step: width * 3, lines: lineStarts(width, 3) });
  return { width, height, data: Uint8Array.from(soft, (value) => clamp(value + noise * normal(random))) };
}

interface Lines {
  /** Pixels of a line. */
  readonly length: number;
  /** Values between two pixels of a line. */
  readonly step: number;
  /** Where each line starts. */
  readonly lines: readonly number[];
}

function lineStarts(count: number, step: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => index * step);
}

// Beyond the ends a line goes on with its last pixel.
function blurAlong(values: Float32Array, deviation: number, { length, step, lines }: Lines): Float32Array {
  const reach = Math.ceil(3 * deviation);
  const weights = Array.from({ length: 2 * reach + 1 }, (_, index) =>
    deviation === 0 ? 1 : Math.exp(-((index - reach) ** 2) / (2 * deviation ** 2)),
  );
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const result = new Float32Array(values.length);
  for (const start of lines) {
    for (let place = 0; place < length; place++) {
      for (let channel = 0; channel < 3; channel++) {
        let sum = 0;
        weights.forEach((weight, index) => {
          const from = Math.min(Math.max(place + index - reach, 0), length - 1);
          sum += weight * (values[start + from * step + channel] ?? 0);
        });
        result[start + place * step + channel] = sum / total;
      }
    }
  }
  return result;
}

function clamp(value: number): number {
  return Math.min(Math.max(Math.round(value), 0), 255);
}

// Box and Muller's transform.
function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random.fraction())) * Math.cos(2 * Math.PI * random.fraction());
}
