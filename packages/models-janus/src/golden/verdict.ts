// Verdicts of a golden run and the tolerances they are measured by.

import type { DType } from '@limen/tensor';

/** One line of a golden run. */
export interface Verdict {
  readonly name: string;
  readonly passed: boolean;
  /** What was compared and how close it came. */
  readonly text: string;
}

/** How close results in a type must come to the float32 reference. */
export interface Tolerance {
  /** Largest |difference| allowed: `absolute + relative · |reference|`; undefined: only the root mean square counts. */
  readonly elementwise?: { readonly absolute: number; readonly relative: number };
  /** Root mean square of the difference over that of the reference. */
  readonly rms: number;
  /** Absolute difference of logits, elementwise in f32; as a share of their root mean square otherwise. */
  readonly logits: number;
  /** Steps of 255 that a pixel may be off, and the share of pixels that may be off by more. */
  readonly pixel: { readonly steps: number; readonly share: number };
  /** Whether token ids must be equal; otherwise each must be within the logit tolerance of the best. */
  readonly exactIds: boolean;
}

/** f32: the tolerances that the golden folders suggest. 16-bit types: a few roundings per layer. */
export const tolerances: Readonly<Record<'f32' | 'f16' | 'bf16', Tolerance>> = {
  f32: {
    elementwise: { absolute: 1e-4, relative: 1e-4 },
    rms: 1e-4,
    logits: 1e-3,
    pixel: { steps: 1, share: 0 },
    exactIds: true,
  },
  f16: { rms: 8e-3, logits: 1e-2, pixel: { steps: 3, share: 0.01 }, exactIds: false },
  bf16: { rms: 5e-2, logits: 6e-2, pixel: { steps: 12, share: 0.02 }, exactIds: false },
};

/** The tolerance of a type. */
export function toleranceOf(dtype: DType): Tolerance {
  return tolerances[dtype === 'f16' || dtype === 'bf16' ? dtype : 'f32'];
}

type Numbers = ArrayLike<number>;

function rms(values: Numbers): number {
  let sum = 0;
  for (let index = 0; index < values.length; index++) sum += (values[index] ?? 0) ** 2;
  return Math.sqrt(sum / Math.max(1, values.length));
}

/** Compares activations. */
export function compareHidden(name: string, actual: Numbers, expected: Numbers, tolerance: Tolerance): Verdict {
  if (actual.length !== expected.length) {
    return { name, passed: false, text: `expected ${expected.length} values, got ${actual.length}` };
  }
  const difference = Float64Array.from(
    { length: expected.length },
    (_, index) => (actual[index] ?? NaN) - (expected[index] ?? 0),
  );
  const ratio = rms(difference) / Math.max(rms(expected), 1e-12);
  let worst = 0;
  let share = 0;
  const { elementwise } = tolerance;
  for (let index = 0; index < expected.length; index++) {
    const error = Math.abs(difference[index] ?? 0);
    worst = Math.max(worst, error);
    if (elementwise !== undefined) {
      share = Math.max(share, error / (elementwise.absolute + elementwise.relative * Math.abs(expected[index] ?? 0)));
    }
  }
  const passed = elementwise === undefined ? ratio <= tolerance.rms : share <= 1 && ratio <= tolerance.rms;
  return { name, passed, text: `max ${worst.toExponential(2)}, rms ${ratio.toExponential(2)} of the reference` };
}

/** Compares logits. */
export function compareLogits(name: string, actual: Numbers, expected: Numbers, tolerance: Tolerance): Verdict {
  if (!tolerance.exactIds) {
    const { text, passed } = compareHidden(name, actual, expected, { ...tolerance, rms: tolerance.logits });
    return { name, passed, text };
  }
  let worst = actual.length === expected.length ? 0 : Infinity;
  for (let index = 0; index < expected.length; index++) {
    const error = Math.abs((actual[index] ?? NaN) - (expected[index] ?? 0));
    worst = Math.max(worst, Number.isNaN(error) ? Infinity : error);
  }
  return { name, passed: worst <= tolerance.logits, text: `max ${worst.toExponential(2)}` };
}

/** Compares ids, which are equal or wrong. */
export function compareIds(name: string, actual: Numbers, expected: Numbers): Verdict {
  const at = Array.from({ length: Math.max(actual.length, expected.length) }, (_, index) => index).find(
    (index) => actual[index] !== expected[index],
  );
  const text =
    at === undefined ? `${expected.length} equal` : `differ at ${at}: expected ${expected[at]}, got ${actual[at]}`;
  return { name, passed: at === undefined, text };
}

/** Whether every reference id is the best of our logits, or as near to it as the tolerance allows. `logits` is `[steps, V]`. */
export function compareChoices(name: string, logits: Numbers, expected: Numbers, tolerance: Tolerance): Verdict {
  const width = logits.length / Math.max(1, expected.length);
  const allowed = 2 * tolerance.logits * rms(logits);
  let agreed = 0;
  let worst = 0;
  for (let step = 0; step < expected.length; step++) {
    let best = -Infinity;
    for (let token = 0; token < width; token++) best = Math.max(best, logits[step * width + token] ?? -Infinity);
    const gap = best - (logits[step * width + (expected[step] ?? 0)] ?? -Infinity);
    if (gap === 0) agreed++;
    worst = Math.max(worst, gap);
  }
  return {
    name,
    passed: worst <= allowed,
    text: `${agreed} of ${expected.length} the best choice, largest gap ${worst.toExponential(2)}`,
  };
}

/** Compares 8-bit pixels. */
export function comparePixels(name: string, actual: Numbers, expected: Numbers, { pixel }: Tolerance): Verdict {
  let worst = actual.length === expected.length ? 0 : 255;
  let off = 0;
  for (let index = 0; index < expected.length; index++) {
    const error = Math.abs((actual[index] ?? 999) - (expected[index] ?? 0));
    worst = Math.max(worst, error);
    if (error > pixel.steps) off++;
  }
  const share = off / Math.max(1, expected.length);
  return {
    name,
    passed: share <= pixel.share,
    text: `worst ${worst} of 255, ${(share * 100).toFixed(2)} % off by more than ${pixel.steps}`,
  };
}
