// The error function against tabulated values (NIST Digital Library of Mathematical Functions, 7.23).

import { expect, test } from 'vitest';

import { errorFunction } from './error-function.js';

test.each([
  [0, 0],
  [0.5, 0.5204998778130465],
  [1, 0.8427007929497149],
  [2, 0.9953222650189527],
  [3.5, 0.9999992569016276],
  [6.5, 1],
])('erf(%d) is %d', (x, expected) => {
  expect(errorFunction(x)).toBeCloseTo(expected, 14);
  expect(errorFunction(-x)).toBeCloseTo(-expected, 14);
});

test('keeps NaN and the sign at infinity', () => {
  expect(errorFunction(NaN)).toBeNaN();
  expect(errorFunction(-Infinity)).toBe(-1);
});
