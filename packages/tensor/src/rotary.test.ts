// Rotary embeddings by their defining properties: rotation, relative positions, which channels pair.

import { expect, test } from 'vitest';

import { fromArray } from './create.js';
import { ropeHalf } from './ops/rope-half.js';
import { ropeInterleaved } from './ops/rope-interleaved.js';
import { rotaryAngle } from './rotary.js';
import { read } from './transfer.js';

const channels = 8;

/** One head's vector turned to a position. */
async function turn(op: typeof ropeHalf, vector: readonly number[], position: number): Promise<number[]> {
  using x = fromArray(Float32Array.from(vector), [1, 1, 1, vector.length]);
  using positions = fromArray(Int32Array.of(position), [1, 1], { dtype: 'i32' });
  using y = op({ x, positions });
  return [...(await read(y))];
}

const unit = (channel: number) => Array.from({ length: channels }, (_, index) => (index === channel ? 1 : 0));
const dot = (a: readonly number[], b: readonly number[]) =>
  a.reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0);

test('angles fall by powers of the base from one radian per token', () => {
  expect(rotaryAngle(3, 0, 10000, 8)).toBe(3);
  expect(rotaryAngle(3, 1, 10000, 8)).toBeCloseTo(0.3, 6);
  expect(rotaryAngle(3, 2, 10000, 8)).toBeCloseTo(0.03, 7);
});

test('ropeHalf turns channel j towards channel j + D/2', async () => {
  const turned = await turn(ropeHalf, unit(0), 1);
  expect(turned[0]).toBeCloseTo(Math.cos(1), 6);
  expect(turned[4]).toBeCloseTo(Math.sin(1), 6);
});

test('ropeInterleaved turns channel 2i towards channel 2i + 1', async () => {
  const turned = await turn(ropeInterleaved, unit(2), 1);
  expect(turned[2]).toBeCloseTo(Math.cos(0.1), 6);
  expect(turned[3]).toBeCloseTo(Math.sin(0.1), 6);
});

test.each([
  ['ropeHalf', ropeHalf],
  ['ropeInterleaved', ropeInterleaved],
])('%s makes a product of two vectors depend on their distance alone', async (_, op) => {
  const query = [0.3, -1, 2, 0.5, 1, -0.7, 0.2, 1.5];
  const key = [1, 0.4, -0.6, 2, -1, 0.1, 0.9, 0.3];
  const near = dot(await turn(op, query, 12), await turn(op, key, 5));
  const far = dot(await turn(op, query, 1007), await turn(op, key, 1000));
  expect(far).toBeCloseTo(near, 3);
  expect(dot(await turn(op, query, 12), await turn(op, key, 6))).not.toBeCloseTo(near, 1);
});

test('channels beyond rotaryDimensions stay as they are', async () => {
  using x = fromArray(Float32Array.from([1, 2, 3, 4, 5, 6, 7, 8]), [1, 1, 1, 8]);
  using positions = fromArray(Int32Array.of(9), [1, 1], { dtype: 'i32' });
  using y = ropeInterleaved({ x, positions }, { rotaryDimensions: 4 });
  expect([...(await read(y))].slice(4)).toEqual([5, 6, 7, 8]);
});
