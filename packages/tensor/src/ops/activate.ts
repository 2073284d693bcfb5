// Activation functions for the references, in f64.

/** An activation that may close a projection. */
export type Activation = 'none' | 'gelu' | 'silu';

/** Applies an activation: `gelu` is `x · Φ(x)` with the exact normal distribution, `silu` is `x / (1 + e^(−x))`. */
export function activate(activation: Activation, value: number): number {
  if (activation === 'gelu') return 0.5 * value * (1 + errorFunction(value * Math.SQRT1_2));
  return activation === 'silu' ? value / (1 + Math.exp(-value)) : value;
}

/**
 * The error function to full f64 accuracy: its Taylor series near zero, a continued fraction of its complement beyond.
 *
 * @remarks Source: Abramowitz and Stegun, 7.1.5 and 7.1.14, https://personal.math.ubc.ca/~cbm/aands/page_297.htm.
 */
export function errorFunction(value: number): number {
  const x = Math.abs(value);
  if (!(x < 6)) return Number.isNaN(x) ? NaN : Math.sign(value); // 1 − erf(6) is below the last bit of 1
  if (x < 2.5) {
    let term = x;
    let sum = x;
    for (let n = 1; Math.abs(term) > 1e-17 * sum; n++) {
      term *= (-x * x) / n;
      sum += term / (2 * n + 1);
    }
    return (Math.sign(value) * 2 * sum) / Math.sqrt(Math.PI);
  }
  let fraction = x;
  for (let n = 60; n > 0; n--) fraction = x + n / 2 / fraction;
  return Math.sign(value) * (1 - Math.exp(-x * x) / (fraction * Math.sqrt(Math.PI)));
}
