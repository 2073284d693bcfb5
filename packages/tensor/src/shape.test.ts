import fc from 'fast-check';
import { expect, test } from 'vitest';

import { contiguousStrides, extentOf, hasDenseRows, isContiguous, normalizeAxis, sameShape, sizeOf } from './shape.js';

const shapes = fc.array(fc.integer({ min: 0, max: 6 }), { maxLength: 5 });

test('contiguous strides reach exactly the last element', () => {
  fc.assert(
    fc.property(shapes, (shape) => {
      const strides = contiguousStrides(shape);
      expect(isContiguous(shape, strides)).toBe(true);
      expect(extentOf(shape, strides)).toBe(sizeOf(shape));
    }),
  );
});

test('swapping two axes that both matter makes a tensor strided', () => {
  expect(isContiguous([3, 2], [1, 3])).toBe(false);
  expect(hasDenseRows([3, 2], [1, 3])).toBe(false);
  expect(hasDenseRows([3, 2], [5, 1])).toBe(true);
  expect(isContiguous([3, 2], [5, 1])).toBe(false);
});

test('axes of size one may have any stride', () => {
  expect(isContiguous([1, 4], [99, 1])).toBe(true);
  expect(hasDenseRows([4, 1], [7, 99])).toBe(true);
});

test('negative axes count from the end, others out of range give -1', () => {
  expect([-1, -3, 0, 2].map((axis) => normalizeAxis(axis, 3))).toEqual([2, 0, 0, 2]);
  expect([3, -4, 0.5].map((axis) => normalizeAxis(axis, 3))).toEqual([-1, -1, -1]);
});

test('shapes are the same only axis by axis', () => {
  expect(sameShape([2, 3], [2, 3])).toBe(true);
  expect(sameShape([2, 3], [3, 2])).toBe(false);
  expect(sameShape([2, 3], [2, 3, 1])).toBe(false);
});
