// Sampling from one row of logits, written to be read: sort, cut, draw.

import { philox4x32 } from '../philox.js';

/** How to draw from a row. */
export interface DrawSettings {
  /** Dimensionless; 0 or less takes the greatest logit. */
  readonly temperature: number;
  /** Tokens; 0 or less: no limit. */
  readonly topK: number;
  /** Probability; 1 or more: no limit. */
  readonly topP: number;
  readonly key: readonly [number, number];
  /** Draws made before in this sequence. */
  readonly counter: number;
}

/** The standard Gumbel noise of token `index`. */
function gumbelNoise(index: number, { key, counter }: DrawSettings): number {
  const bits = philox4x32([Math.floor(index / 4), counter, 0, 0], key)[index % 4] ?? 0;
  const uniform = (Math.floor(bits / 256) + 0.5) / 2 ** 24;
  return -Math.log(-Math.log(uniform));
}

/** Token indices that survive topK and topP, most likely first. */
function survivors(logits: Float32Array, { temperature, topK, topP }: DrawSettings): number[] {
  const numbers = [...logits.keys()].filter((index) => !Number.isNaN(logits[index]));
  if (topK < 1 && topP >= 1) return numbers;
  const logit = (index: number) => logits[index] ?? NaN;
  // Array.sort is stable: equal logits stay in order of index.
  const sorted = numbers.sort((a, b) => (logit(a) === logit(b) ? 0 : logit(b) - logit(a)));
  const kept = topK >= 1 ? sorted.slice(0, Math.floor(topK)) : sorted;
  if (topP >= 1 || kept.length === 0) return kept;

  const greatest = logit(kept[0] ?? 0);
  // Relative to the greatest, which is 1 even when it is infinite.
  const weights = kept.map((index) =>
    logit(index) === greatest ? 1 : Math.exp((logit(index) - greatest) / temperature),
  );
  const target = topP * weights.reduce((sum, weight) => sum + weight, 0);
  let reached = 0;
  for (const [rank, weight] of weights.entries()) {
    reached += weight;
    if (reached >= target) return kept.slice(0, rank + 1);
  }
  return kept;
}

/** Draws one token index; 0 if no logit is a number. */
export function sampleRow(logits: Float32Array, settings: DrawSettings): number {
  const greedy = !(settings.temperature > 0);
  const candidates = greedy
    ? [...logits.keys()].filter((index) => !Number.isNaN(logits[index]))
    : survivors(logits, settings);
  let best = 0;
  let bestScore = NaN;
  for (const index of candidates) {
    const logit = logits[index] ?? NaN;
    const score = greedy ? logit : logit / settings.temperature + gumbelNoise(index, settings);
    const wins = Number.isNaN(bestScore) || score > bestScore || (score === bestScore && index < best);
    if (wins) [best, bestScore] = [index, score];
  }
  return best;
}
