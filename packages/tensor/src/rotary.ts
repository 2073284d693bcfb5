// What the two rotary position embeddings share: the angle of a channel pair, and the clause about rotaryDimensions.

import type { ContractProblem, Sizes } from './op-declaration.js';

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
