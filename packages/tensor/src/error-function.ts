// The error function, which JavaScript's Math lacks and GELU needs.

/**
 * `erf(x) = 2/√π ∫₀ˣ e^(−t²) dt`, to about 15 digits.
 *
 * Sums `2/√π · e^(−x²) · Σ 2ⁿ x^(2n+1) / (1·3·5⋯(2n+1))`, whose terms all have one sign, so nothing cancels.
 *
 * @param x - any number; dimensionless
 * @returns between −1 and 1; NaN for NaN
 *
 * @remarks Source: https://dlmf.nist.gov/7.6#E2.
 */
export function errorFunction(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x); // 1 − erf(6) is below 2^-54
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}
