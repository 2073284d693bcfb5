// The sampling reference against probabilities and sets worked out by hand. The kernels are tested against it.

import { expect, test } from 'vitest';

import { type DrawSettings, sampleRow } from './sample.reference.js';

const plain: DrawSettings = { temperature: 1, topK: 0, topP: 1, key: [11, 22], counter: 0 };

/** How often each token is drawn over many counters. */
function histogram(logits: readonly number[], settings: Partial<DrawSettings>, draws: number): number[] {
  const row = Float32Array.from(logits);
  const counts = new Array<number>(logits.length).fill(0);
  for (let counter = 0; counter < draws; counter++) {
    const id = sampleRow(row, { ...plain, ...settings, counter });
    counts[id] = (counts[id] ?? 0) + 1;
  }
  return counts;
}

/** Chi-squared distance between counts and probabilities. */
function chiSquared(counts: readonly number[], probabilities: readonly number[]): number {
  const draws = counts.reduce((sum, count) => sum + count, 0);
  return counts.reduce((sum, count, index) => {
    const expected = draws * (probabilities[index] ?? 0);
    return sum + (count - expected) ** 2 / expected;
  }, 0);
}

test('draws tokens as often as their softmax says', () => {
  const probabilities = [0.5, 0.25, 0.15, 0.07, 0.03];
  const counts = histogram(probabilities.map(Math.log), {}, 8000);
  // Four degrees of freedom: above 18.5 in one of a thousand seeds.
  expect(chiSquared(counts, probabilities)).toBeLessThan(18.5);
});

test('flattens the distribution with a temperature above 1', () => {
  // Temperature 2 takes square roots: weights 0.8 : 0.4 : 0.4.
  const counts = histogram([0.64, 0.16, 0.16].map(Math.log), { temperature: 2 }, 8000);
  expect(chiSquared(counts, [0.5, 0.25, 0.25])).toBeLessThan(13.8);
});

test('keeps exactly topK tokens and breaks ties by index', () => {
  const counts = histogram([1, 2, 2, 2, 0], { topK: 2 }, 500);
  expect(counts.map((count) => count > 0)).toEqual([false, true, true, false, false]);
});

test('keeps the fewest tokens that reach topP', () => {
  const logits = [0.1, 0.5, 0.25, 0.15].map(Math.log);
  expect(histogram(logits, { topP: 0.7 }, 500).map((count) => count > 0)).toEqual([false, true, true, false]);
  expect(histogram(logits, { topP: 0.8 }, 500).map((count) => count > 0)).toEqual([false, true, true, true]);
  expect(histogram(logits, { topP: 0 }, 50)).toEqual([0, 50, 0, 0]);
});

test('applies topP to what topK left', () => {
  // Of 0.4, 0.3, 0.2, 0.1 topK 2 leaves 4/7 and 3/7: the first alone reaches one half.
  expect(histogram([0.4, 0.3, 0.2, 0.1].map(Math.log), { topK: 2, topP: 0.5 }, 50)).toEqual([50, 0, 0, 0]);
});

test('takes the greatest logit at temperature 0, the lowest index among equals, never NaN', () => {
  const greedy = { ...plain, temperature: 0 };
  expect(sampleRow(Float32Array.of(1, 3, 3, NaN), greedy)).toBe(1);
  expect(sampleRow(Float32Array.of(NaN, -Infinity), greedy)).toBe(1);
  expect(sampleRow(Float32Array.of(NaN, NaN), greedy)).toBe(0);
});

test('never draws a token of probability zero', () => {
  expect(histogram([-Infinity, 0, NaN, 0], {}, 300).filter((count) => count === 0)).toHaveLength(2);
});

test('gives the same draw for the same seed and counter, and another for another', () => {
  const row = new Float32Array(4096);
  const first = sampleRow(row, plain);
  expect(sampleRow(row, plain)).toBe(first);
  expect(sampleRow(row, { ...plain, counter: 1 })).not.toBe(first);
  expect(sampleRow(row, { ...plain, key: [11, 23] })).not.toBe(first);
});
