// Activation functions for the references, in f64.

import { errorFunction } from './error-function.js';

/** An activation that may close a projection. */
export type Activation = 'none' | 'gelu' | 'silu';

/** Applies an activation: `gelu` is `x · Φ(x)` with the exact normal distribution, `silu` is `x / (1 + e^(−x))`. */
export function activate(activation: Activation, value: number): number {
  if (activation === 'gelu') return 0.5 * value * (1 + errorFunction(value * Math.SQRT1_2));
  return activation === 'silu' ? value / (1 + Math.exp(-value)) : value;
}
