import { InvalidArgumentError } from '@limen/tensor';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import {
  bucketSizes,
  decodeBucketSizes,
  doublingBucketSizes,
  findBucket,
  prefillBucketSizes,
  smallestBucket,
} from './bucket-sizes.js';

describe('bucketSizes', () => {
  it('sorts and removes repetitions', () => {
    expect(bucketSizes([8, 1, 8, 64, 2])).toEqual([1, 2, 8, 64]);
  });

  it('leaves the default lists as they are', () => {
    expect(bucketSizes(decodeBucketSizes)).toEqual([1, 2, 4, 8, 16, 32, 64]);
    expect(bucketSizes(prefillBucketSizes)).toEqual([64, 128, 256, 512, 1024, 2048]);
  });

  it('returns a list that cannot be changed', () => {
    expect(Object.isFrozen(bucketSizes([1]))).toBe(true);
    expect(Object.isFrozen(decodeBucketSizes)).toBe(true);
  });

  it.each([[[]], [[0]], [[1, -2]], [[1.5]], [[NaN]], [[4, Infinity]]])('rejects %j', (sizes) => {
    expect(() => bucketSizes(sizes)).toThrowError(InvalidArgumentError);
  });
});

describe('doublingBucketSizes', () => {
  it('goes on until the last size fits', () => {
    expect(doublingBucketSizes(64, 1700)).toEqual(prefillBucketSizes);
    expect(doublingBucketSizes(64, 2049).at(-1)).toBe(4096);
    expect(doublingBucketSizes(3, 3)).toEqual([3]);
  });

  it.each([
    [0, 4],
    [4, 3],
    [1.5, 4],
    [1, Infinity],
  ])('rejects the range %d to %d', (first, last) => {
    expect(() => doublingBucketSizes(first, last)).toThrowError(InvalidArgumentError);
  });
});

describe('findBucket', () => {
  it.each([
    [1, 1],
    [3, 4],
    [4, 4],
    [33, 64],
    [64, 64],
    [65, undefined],
    [0, 1],
  ])('puts %d sequences into the decode bucket %s', (needed, size) => {
    expect(findBucket(decodeBucketSizes, needed)).toBe(size);
  });

  it('finds no bucket in an empty list', () => {
    expect(findBucket([], 1)).toBeUndefined();
  });

  it('agrees with looking at every size', () => {
    const sizes = fc.uniqueArray(fc.integer({ min: 1, max: 100 }), { minLength: 1 }).map(bucketSizes);
    fc.assert(
      fc.property(sizes, fc.integer({ min: 0, max: 120 }), (list, needed) => {
        expect(findBucket(list, needed)).toBe(list.find((size) => size >= needed));
      }),
      { seed: 3, numRuns: 2000 },
    );
  });
});

describe('smallestBucket', () => {
  it('is the bucket that findBucket finds', () => {
    expect(smallestBucket(decodeBucketSizes, 3)).toBe(4);
  });

  it('throws InvalidArgumentError above the largest bucket', () => {
    expect(() => smallestBucket(decodeBucketSizes, 65)).toThrowError(InvalidArgumentError);
    expect(() => smallestBucket(decodeBucketSizes, 65)).toThrowError('expected at most 64, the largest bucket, got 65');
    expect(() => smallestBucket([], 1)).toThrowError('expected at most 0');
  });
});
