// Broadcasting by suffix, as add and multiply share it.

import { expect, test } from 'vitest';

import { fromArray } from '../create.js';
import { ShapeMismatchError } from '../errors/shape-mismatch-error.js';
import { read } from '../transfer.js';
import { add } from './add.js';
import { multiply } from './multiply.js';

test('repeats the second tensor over the leading axes of the first', async () => {
  using a = fromArray(Float32Array.from([1, 2, 3, 4, 5, 6, 7, 8]), [2, 2, 2]);
  using b = fromArray(Float32Array.from([10, 20, 30, 40]), [2, 2]);
  using one = fromArray(Float32Array.of(2), []);
  using sum = add({ a, b });
  using product = multiply({ a, b: one });
  expect([...(await read(sum))]).toEqual([11, 22, 33, 44, 15, 26, 37, 48]);
  expect([...(await read(product))]).toEqual([2, 4, 6, 8, 10, 12, 14, 16]);
});

test('writes into the first tensor when told to', async () => {
  using a = fromArray(Float32Array.from([1, 2, 3]), [3]);
  using b = fromArray(Float32Array.of(5), []);
  add({ a, b }, { out: a });
  expect([...(await read(a))]).toEqual([6, 7, 8]);
});

test('says which axes it expected when the second tensor is not a suffix', () => {
  using a = fromArray(new Float32Array(6), [2, 3]);
  using b = fromArray(new Float32Array(2), [2]);
  expect(() => add({ a, b })).toThrow(ShapeMismatchError);
  expect(() => add({ a, b })).toThrow('expected the last axes of [2, 3], got [2]');
});
