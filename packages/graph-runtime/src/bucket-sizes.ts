// Which sizes get a graph of their own, and which of them a request uses. Pure.

import { InvalidArgumentError } from '@limen/tensor';

/** Batch sizes of decode graphs: sequences in a step. Lengths live on the device and need no buckets. */
export const decodeBucketSizes: readonly number[] = Object.freeze([1, 2, 4, 8, 16, 32, 64]);

/** Lengths of prefill graphs, in tokens. */
export const prefillBucketSizes: readonly number[] = Object.freeze([64, 128, 256, 512, 1024, 2048]);

/**
 * A list of sizes fit for {@link findBucket}: ascending, each once.
 *
 * @param sizes - positive whole numbers in any order
 * @throws {InvalidArgumentError} the list is empty, or a size is not a positive whole number
 */
export function bucketSizes(sizes: Iterable<number>): readonly number[] {
  const sorted = [...new Set(sizes)].toSorted((a, b) => a - b);
  const wrong = sorted.find((size) => !Number.isSafeInteger(size) || size < 1);
  if (sorted.length === 0 || wrong !== undefined) {
    throw new InvalidArgumentError(
      `bucketSizes: sizes has no usable list: expected one or more positive whole numbers, got ${wrong ?? 'none'}. ` +
        'List the sizes that occur, for example decodeBucketSizes.',
      { sizes: sorted },
    );
  }
  return Object.freeze(sorted);
}

/**
 * Sizes that double from `first` until `last` fits: how to continue {@link prefillBucketSizes} for longer prompts.
 *
 * @throws {InvalidArgumentError} an end is not a positive whole number, or `last < first`
 *
 * @example
 * doublingBucketSizes(64, 1700); // [64, 128, 256, 512, 1024, 2048]
 */
export function doublingBucketSizes(first: number, last: number): readonly number[] {
  if (!Number.isSafeInteger(first) || !Number.isSafeInteger(last) || first < 1 || last < first) {
    throw new InvalidArgumentError(
      `doublingBucketSizes: range is empty: expected whole numbers 1 ≤ first ≤ last, got ${first} and ${last}. Swap or raise them.`,
      { first, last },
    );
  }
  const sizes = [first];
  for (let size = first; size < last; size *= 2) sizes.push(size * 2);
  return Object.freeze(sizes);
}

/**
 * The smallest size that holds `needed`, or undefined when none does and the step has to run without a graph.
 *
 * @param sizes - ascending, as {@link bucketSizes} returns them
 * @param needed - sequences, tokens or images that the step has; the rest of the bucket is padding
 */
export function findBucket(sizes: readonly number[], needed: number): number | undefined {
  let [low, high] = [0, sizes.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sizes[middle] ?? Infinity) < needed) low = middle + 1;
    else high = middle;
  }
  return sizes[low];
}

/**
 * {@link findBucket} for callers that cannot go on without one.
 *
 * @throws {InvalidArgumentError} `needed` is above the largest size
 */
export function smallestBucket(sizes: readonly number[], needed: number): number {
  const found = findBucket(sizes, needed);
  if (found !== undefined) return found;
  throw new InvalidArgumentError(
    `smallestBucket: needed is too large: expected at most ${sizes.at(-1) ?? 0}, the largest bucket, got ${needed}. ` +
      'Add a larger bucket, split the batch, or run the step without a graph.',
    { sizes, needed },
  );
}
