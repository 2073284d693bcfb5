// Fills a tensor with normally distributed numbers on its own device: random weights without a host copy.

import { defineOp } from '../define-op.js';

/** One step of a 32-bit mixer with good avalanche (splitmix-style finaliser). */
function mix(value: number): number {
  let bits = value >>> 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x7feb352d) >>> 0;
  bits = Math.imul(bits ^ (bits >>> 15), 0x846ca68b) >>> 0;
  return (bits ^ (bits >>> 16)) >>> 0;
}

/**
 * Overwrites a tensor with draws from a normal distribution, a function of the seed and the position only.
 *
 * `x[i] = mean + deviation · √(−2 ln u₁) · cos(2π u₂)` with `u₁, u₂` from a 32-bit hash of `(seed, i)`
 *
 * @param inputs.x - any shape, f32 | f16 | bf16, changed in place
 * @param options.deviation - standard deviation; default 1
 * @param options.mean - default 0
 * @param options.seed - integer in `[0, 2^31)`; default 0
 *
 * @remarks Capture-safe. No workspace. Not for cryptography. Source: https://en.wikipedia.org/wiki/Box%E2%80%93Muller_transform.
 * Kernel: `fill_normal.cu`.
 */
export const fillNormal = defineOp({
  name: 'fillNormal',
  inputs: { x: { shape: ['...'], mutated: true } },
  outputs: {},
  dtypes: ['f32', 'f16', 'bf16'],
  attributes: { deviation: 1, mean: 0, seed: 0 },
  kernel: 'fill_normal',
  source: 'https://en.wikipedia.org/wiki/Box%E2%80%93Muller_transform',
  reference({ x }, { deviation, mean, seed }) {
    for (let index = 0; index < x.data.length; index++) {
      const first = mix((index ^ mix(seed)) >>> 0);
      const second = mix((first + 0x9e3779b9) >>> 0);
      const u1 = ((first >>> 8) + 0.5) / 2 ** 24;
      const u2 = (second >>> 8) / 2 ** 24;
      x.data[index] = mean + deviation * Math.sqrt(-2 * Math.log(u1)) * Math.cos(2 * Math.PI * u2);
    }
  },
});
