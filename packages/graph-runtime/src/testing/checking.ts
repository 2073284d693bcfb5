// What the checks of buckets share.

import { read, type Tensor } from '@limen/tensor';
import { expect } from 'vitest';

/** A declaration whose first call replays already. */
export const replayAtOnce = { verifyFirstReplay: false } as const;

/** Values of an output as plain numbers. */
export async function numbers(tensor: Tensor): Promise<number[]> {
  return [...(await read(tensor))];
}

/** Compares up to the rounding of f32. */
export function expectClose(got: readonly number[], expected: readonly number[]): void {
  expect(got.length).toBe(expected.length);
  for (const [index, value] of got.entries()) expect(value).toBeCloseTo(expected[index] ?? NaN, 5);
}
