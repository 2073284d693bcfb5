// What the two rotary position embeddings share: the angle of a channel pair, the rotation, and the clause about
// rotaryDimensions.

import type { ContractProblem, HostArray, Sizes } from './op-declaration.js';

const mostDimensions = 512;

/**
 * Angle of channel pair `pair` at a position, in radians: `position · base^(−2·pair/R)`.
 *
 * Every step is rounded to f32 in the order in which the models' Python code computes it, because at positions in the
 * thousands one unit in the last place of a frequency turns into a visible angle.
 */
export function rotaryAngle(position: number, pair: number, base: number, rotaryDimensions: number): number {
  const exponent = Math.fround((2 * pair) / rotaryDimensions);
  const frequency = Math.fround(1 / Math.fround(base ** exponent));
  return Math.fround(position * frequency);
}

/** `R` is an even number of channels, at most all of them. */
export function checkRotary(sizes: Sizes, rotaryDimensions: number): ContractProblem | undefined {
  const channels = sizes.get('D');
  const rotary = rotaryDimensions === 0 ? channels : rotaryDimensions;
  const most = Math.min(channels, mostDimensions);
  if (Number.isInteger(rotary) && rotary % 2 === 0 && rotary >= 0 && rotary <= most) return undefined;
  return { argument: 'rotaryDimensions', expected: `an even number up to ${most}`, got: String(rotary) };
}

/** What the references of both embeddings see. */
interface Rotation {
  readonly x: HostArray;
  readonly positions: HostArray<Int32Array>;
  readonly y: HostArray;
}

/**
 * Turns the pairs of channels of every head.
 *
 * @param pairOf - the two channels of a pair, of `rotary` channels that turn
 */
export function rotate(
  { x, positions, y }: Rotation,
  { base, rotaryDimensions }: { readonly base: number; readonly rotaryDimensions: number },
  pairOf: (pair: number, rotary: number) => readonly [number, number],
): void {
  const [, , heads = 0, channels = 0] = x.shape;
  const rotary = rotaryDimensions === 0 ? channels : rotaryDimensions;
  y.data.set(x.data);
  for (const [token, position] of positions.data.entries()) {
    for (let pair = 0; pair < rotary / 2; pair++) {
      const angle = rotaryAngle(position, pair, base, rotary);
      const [first, second] = pairOf(pair, rotary);
      for (let head = 0; head < heads; head++) {
        const start = (token * heads + head) * channels;
        const [a, b] = [y.data[start + first] ?? 0, y.data[start + second] ?? 0];
        y.data[start + first] = a * Math.cos(angle) - b * Math.sin(angle);
        y.data[start + second] = b * Math.cos(angle) + a * Math.sin(angle);
      }
    }
  }
}
