// Group norm against numbers worked out by hand, since every kernel is tested against its reference.

import { expect, test } from 'vitest';

import { fromArray } from '../create.js';
import { read } from '../transfer.js';
import { groupNorm } from './group-norm.js';
import { layerNorm } from './layer-norm.js';

test('takes its statistics over pixels and over the channels of one group', async () => {
  // Two pixels, two groups of two channels. Group 0 holds 1, 3, 5, 7: mean 4, variance 5. Group 1 is constant.
  using x = fromArray(Float32Array.from([1, 3, 9, 9, 5, 7, 9, 9]), [1, 1, 2, 4]);
  using weight = fromArray(Float32Array.from([1, 2, 1, 1]), [4]);
  using bias = fromArray(Float32Array.from([0, 10, 0, -1]), [4]);
  using y = groupNorm({ x, weight, bias }, { groups: 2, eps: 0 });
  const root = Math.sqrt(5);
  const expected = [-3 / root, 10 - 2 / root, NaN, NaN, 1 / root, 10 + 6 / root, NaN, NaN];
  for (const [index, value] of [...(await read(y))].entries()) {
    const want = expected[index] ?? NaN;
    if (!Number.isNaN(want)) expect(value).toBeCloseTo(want, 5);
  }
});

test('a constant group becomes the bias', async () => {
  using x = fromArray(new Float32Array(12).fill(9), [1, 2, 2, 3]);
  using weight = fromArray(Float32Array.from([4, 5, 6]), [3]);
  using bias = fromArray(Float32Array.from([1, 2, 3]), [3]);
  using y = groupNorm({ x, weight, bias }, { groups: 1 });
  expect([...(await read(y))].slice(0, 3)).toEqual([1, 2, 3]);
});

test('one pixel in one group is layer norm', async () => {
  const values = Float32Array.from([0.5, -2, 3, 1, 0, 4]);
  using image = fromArray(values, [1, 1, 1, 6]);
  using row = fromArray(values, [1, 6]);
  using weight = fromArray(new Float32Array(6).fill(1.5), [6]);
  using bias = fromArray(new Float32Array(6).fill(-0.25), [6]);
  using asImage = groupNorm({ x: image, weight, bias }, { groups: 1, eps: 1e-5 });
  using asRow = layerNorm({ x: row, weight, bias }, { eps: 1e-5 });
  expect([...(await read(asImage))]).toEqual([...(await read(asRow))]);
});

test('silu comes last', async () => {
  using x = fromArray(Float32Array.from([-1, 1]), [1, 1, 1, 2]);
  using weight = fromArray(Float32Array.from([1, 1]), [2]);
  using bias = fromArray(Float32Array.from([0, 0]), [2]);
  using y = groupNorm({ x, weight, bias }, { groups: 1, eps: 0, activation: 'silu' });
  const [low = NaN, high = NaN] = await read(y);
  expect(low).toBeCloseTo(-1 / (1 + Math.E), 6);
  expect(high).toBeCloseTo(1 / (1 + Math.exp(-1)), 6);
});
