// Named axes and the sizes they have graphs for. A request fits when every axis does. Pure.

import { InvalidArgumentError } from '@limen/tensor';

import { bucketSizes, findBucket } from './bucket-sizes.js';

/**
 * Sizes that an axis has graphs for. `'exact'`: one graph for each size that occurs, without padding; a byte budget keeps
 * their number down.
 */
export type AxisBuckets = readonly number[] | 'exact';

/** An extent for each axis. */
export type AxisSizes<Axis extends string = string> = Readonly<Record<Axis, number>>;

/** A bucket, or the axis that no bucket is large enough for. */
export type AxisFit<Axis extends string> =
  { readonly bucket: AxisSizes<Axis> } | { readonly axis: Axis; readonly needed: number; readonly largest: number };

/**
 * Axes with their sizes in order.
 *
 * @throws {InvalidArgumentError} a list is empty or holds no positive whole numbers
 */
export function checkedAxes<Axis extends string>(
  axes: Readonly<Record<Axis, AxisBuckets>>,
): Readonly<Record<Axis, AxisBuckets>> {
  const entries = Object.entries<AxisBuckets>(axes);
  return Object.fromEntries(
    entries.map(([axis, sizes]) => [axis, sizes === 'exact' ? sizes : bucketSizes(sizes)]),
  ) as Readonly<Record<Axis, AxisBuckets>>;
}

/** The smallest bucket that holds `needed`: on every axis the smallest size that does. */
export function fitAxes<Axis extends string>(
  axes: Readonly<Record<Axis, AxisBuckets>>,
  needed: AxisSizes<Axis>,
): AxisFit<Axis> {
  const bucket: Record<string, number> = {};
  for (const axis of Object.keys(axes) as Axis[]) {
    const sizes: AxisBuckets = axes[axis];
    const found = sizes === 'exact' ? needed[axis] : findBucket(sizes, needed[axis]);
    if (found === undefined) return { axis, needed: needed[axis], largest: sizes.at(-1) as number };
    bucket[axis] = found;
  }
  return { bucket: bucket as AxisSizes<Axis> };
}

/** Every combination of sizes, largest first: what is captured first makes room for what follows. */
export function allBuckets<Axis extends string>(axes: Readonly<Record<Axis, AxisBuckets>>): AxisSizes<Axis>[] {
  let buckets: Record<string, number>[] = [{}];
  for (const [axis, sizes] of Object.entries<AxisBuckets>(axes)) {
    if (sizes === 'exact') {
      throw new InvalidArgumentError(
        `axes: ${axis} has no list: expected sizes to capture ahead of requests, got 'exact'. List them, or capture lazily.`,
        { axis },
      );
    }
    buckets = buckets.flatMap((bucket) => sizes.map((size) => ({ ...bucket, [axis]: size })));
  }
  const volume = (bucket: Record<string, number>) => Object.values(bucket).reduce((product, size) => product * size, 1);
  return buckets.toSorted((a, b) => volume(b) - volume(a)) as AxisSizes<Axis>[];
}

/** A bucket as text: `batch=4 length=128`. */
export function bucketName(bucket: AxisSizes): string {
  return Object.entries(bucket)
    .map(([axis, size]) => `${axis}=${size}`)
    .join(' ');
}
