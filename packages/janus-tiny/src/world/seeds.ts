// Which seeds belong to training, validation and test. Cases are numbered from 0 in each split; the splits lie in
// disjoint ranges of one sequence of seeds, so a test case is never one that was trained on.

import { WorldError } from '../errors/world-error.js';

/** What a case is used for. */
export type Split = 'train' | 'validation' | 'test';

/** A run of seeds, `first` to `first + count - 1`. */
export interface SeedRange {
  readonly first: number;
  readonly count: number;
}

/** Seeds of each split, 32 bits wide. */
export const seedRanges: Readonly<Record<Split, SeedRange>> = Object.freeze({
  train: { first: 0, count: 2 ** 31 },
  validation: { first: 2 ** 31, count: 2 ** 30 },
  test: { first: 2 ** 31 + 2 ** 30, count: 2 ** 30 },
});

/**
 * The place of a case in the sequence of all seeds.
 *
 * @param seed - number of the case in its split, from 0
 * @throws {WorldError} the split has no such case
 */
export function worldSeed(split: Split, seed: number): number {
  const { first, count } = seedRanges[split];
  if (Number.isInteger(seed) && seed >= 0 && seed < count) return first + seed;
  throw new WorldError(
    'SEED_OUT_OF_RANGE',
    `makeCase: seed is not one of ${split}: expected an integer from 0 to ${count - 1}, got ${seed}. Choose another seed.`,
    { split, seed },
  );
}
