// Paints a scene: smooth edges, flat colours, a little noise.

import type { RgbImage } from '@limen/models-janus';

import type { Random } from './random.js';
import type { Scene, SceneObject } from './scene.js';
import { distanceToOutline, reachOf } from './shapes.js';
import { pictureSize, rgbOfBackground, rgbOfColour } from './vocabulary.js';

/** Standard deviation of the noise, of 255. */
const noiseDeviation = 3;

const noiseTableSize = 4096;
const noiseTable = Float32Array.from(
  { length: noiseTableSize },
  (_, index) => noiseDeviation * normalQuantile((index + 0.5) / noiseTableSize),
);

/**
 * Paints a scene.
 *
 * @param random - for the noise
 * @returns 64 x 64 pixels
 */
export function paintScene({ background, objects }: Scene, random: Random): RgbImage {
  const [red, green, blue] = rgbOfBackground[background];
  const pixels = new Float32Array(pictureSize * pictureSize * 3);
  for (let at = 0; at < pixels.length; at += 3) {
    pixels[at] = red;
    pixels[at + 1] = green;
    pixels[at + 2] = blue;
  }
  for (const object of objects) paintObject(pixels, object);
  const data = new Uint8Array(pixels.length);
  for (let at = 0; at < data.length; at += 2) {
    // Two samples of twelve bits from one draw.
    const bits = random.bits();
    data[at] = toByte((pixels[at] ?? 0) + (noiseTable[bits & 4095] ?? 0));
    data[at + 1] = toByte((pixels[at + 1] ?? 0) + (noiseTable[(bits >>> 16) & 4095] ?? 0));
  }
  return { width: pictureSize, height: pictureSize, data };
}

function paintObject(pixels: Float32Array, { kind, colour, x, y, radius, rotation }: SceneObject): void {
  const reach = radius * reachOf[kind] + 1;
  const [red, green, blue] = rgbOfColour[colour];
  const cosine = Math.cos(rotation) / radius;
  const sine = Math.sin(rotation) / radius;
  const right = Math.min(pictureSize - 1, Math.floor(x + reach));
  const bottom = Math.min(pictureSize - 1, Math.floor(y + reach));
  for (let row = Math.max(0, Math.floor(y - reach)); row <= bottom; row++) {
    for (let column = Math.max(0, Math.floor(x - reach)); column <= right; column++) {
      const offX = column + 0.5 - x;
      const offY = row + 0.5 - y;
      const distance = distanceToOutline(kind, cosine * offX + sine * offY, cosine * offY - sine * offX) * radius;
      const cover = Math.min(Math.max(0.5 - distance, 0), 1);
      if (cover === 0) continue;
      const at = (row * pictureSize + column) * 3;
      pixels[at] = mix(pixels[at] ?? 0, red, cover);
      pixels[at + 1] = mix(pixels[at + 1] ?? 0, green, cover);
      pixels[at + 2] = mix(pixels[at + 2] ?? 0, blue, cover);
    }
  }
}

function mix(below: number, above: number, cover: number): number {
  return below + (above - below) * cover;
}

function toByte(value: number): number {
  return Math.min(Math.max(Math.round(value), 0), 255);
}

// Standard normal deviate below which a share of the deviates lies, by bisection of the logistic approximation
// 1 / (1 + exp(-1.5976 x - 0.07056 x^3)), which is exact enough for noise.
function normalQuantile(share: number): number {
  let least = -6;
  let most = 6;
  for (let step = 0; step < 40; step++) {
    const middle = (least + most) / 2;
    if (1 / (1 + Math.exp(-1.5976 * middle - 0.07056 * middle ** 3)) < share) least = middle;
    else most = middle;
  }
  return (least + most) / 2;
}
