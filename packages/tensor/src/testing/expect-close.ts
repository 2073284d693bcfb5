// Compares results with a reference and says where and by how much they differ.

import type { ValueArray } from '../dtype.js';

/** Outcome of a comparison. */
export interface ClosenessVerdict {
  readonly passed: boolean;
  /** Largest |difference| / (1 + |reference|). */
  readonly worst: number;
  /** Row-major index of the worst element. */
  readonly at: number;
  /** One line for people. */
  readonly text: string;
}

/** Elements may differ by `tolerance · (1 + |reference|)`; a NaN matches only a NaN, an infinity only itself. */
export function compareValues(actual: ValueArray, expected: ValueArray, tolerance: number): ClosenessVerdict {
  let worst = 0;
  let at = -1;
  let squares = 0;
  for (let index = 0; index < expected.length; index++) {
    const want = expected[index] ?? NaN;
    const got = actual[index] ?? NaN;
    if (Object.is(want, got) || want === got || (Number.isNaN(want) && Number.isNaN(got))) continue;
    const distance = Math.abs(got - want) / (1 + Math.abs(want));
    const error = Number.isNaN(distance) ? Infinity : distance;
    if (error > worst) [worst, at] = [error, index];
    squares += error * error;
  }
  const passed = actual.length === expected.length && worst <= tolerance;
  const percent = tolerance > 0 ? ` (${((worst / tolerance) * 100).toFixed(0)} % of the tolerance)` : '';
  const rootMeanSquare = Math.sqrt(squares / Math.max(1, expected.length));
  const text =
    actual.length !== expected.length
      ? `expected ${expected.length} elements, got ${actual.length}`
      : at < 0
        ? 'equal'
        : `worst error ${worst.toExponential(2)}${percent}, root mean square ${rootMeanSquare.toExponential(2)}, at ${at}: expected ${expected[at]}, got ${actual[at]}`;
  return { passed, worst, at, text };
}
