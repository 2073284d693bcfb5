// Functions to capture in tests: one that padding would spoil without its mask, one that stale padding would spoil, one
// with a weight and a parameter.

import { add, affine, fromArray, linear, multiply, softmax, type Tensor, zeros } from '@limen/tensor';

import type { BucketedDeclaration, InputDeclarations, OutputDeclarations } from '../bucket-declaration.js';
import type { GraphRuntime } from '../graph-runtime.js';

/** What tests vary. */
export type Variation = Pick<
  BucketedDeclaration<string, InputDeclarations, OutputDeclarations>,
  'mode' | 'verifyFirstReplay' | 'warmUps' | 'maxFailures'
> & {
  /** Called in every run of the step; what it launches or throws becomes part of it. */
  readonly inside?: () => void;
};

/** Softmax over the tokens of a request, `[rows, tokens]`: padded tokens must get no share. */
export function maskedSoftmax(
  runtime: GraphRuntime,
  rows: readonly number[],
  tokens: readonly number[],
  { inside, ...variation }: Variation = {},
) {
  return runtime.bucketed('softmax', {
    axes: { rows, tokens },
    inputs: { x: { shape: ['rows', 'tokens'], padding: 7 }, mask: { mask: ['rows', 'tokens'] } },
    outputs: { y: ['rows', 'tokens'] },
    step({ x, mask }) {
      inside?.();
      using hidden = affine({ x: mask }, { scale: 1e9, offset: -1e9 });
      using masked = add({ a: x, b: hidden });
      using doubled = affine({ x: masked }, { scale: 2 });
      using halved = affine({ x: doubled }, { scale: 0.5 });
      return { y: softmax({ x: halved }) };
    },
    ...variation,
  });
}

/** What {@link maskedSoftmax} makes of `rows` rows. */
export function expectedSoftmax(x: readonly number[], rows: number): number[] {
  const tokens = x.length / Math.max(1, rows);
  return Array.from({ length: rows }, (_, row) => {
    const values = x.slice(row * tokens, (row + 1) * tokens);
    const top = Math.max(...values);
    const weights = values.map((value) => Math.exp(value - top));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return weights.map((weight) => weight / total);
  }).flat();
}

/** Sums over the tokens of a request, `[rows, 1]`: right only while whatever lies beyond it is zero. */
export function paddedSum(
  runtime: GraphRuntime,
  rows: readonly number[],
  tokens: readonly number[],
  { inside, ...variation }: Variation = {},
) {
  return runtime.bucketed('sum', {
    axes: { rows, tokens },
    inputs: { x: { shape: ['rows', 'tokens'] } },
    outputs: { y: ['rows', 1] },
    step({ x }, sizes) {
      inside?.();
      using nothing = zeros([1, sizes.tokens], { device: runtime.device });
      using ones = affine({ x: nothing }, { offset: 1 });
      return { y: linear({ x, weight: ones }) };
    },
    ...variation,
  });
}

/** What {@link paddedSum} makes of `rows` rows. */
export function expectedSums(x: readonly number[], rows: number): number[] {
  const tokens = x.length / Math.max(1, rows);
  const row = (index: number) => x.slice(index * tokens, (index + 1) * tokens);
  return Array.from({ length: rows }, (_, index) => row(index).reduce((sum, value) => sum + value, 0));
}

/** `x · weight + gain`, `[rows, 3]`, for a weight `[3]` that `weight()` names and a parameter's tensor `[1]`. */
export function scaledRows(
  runtime: GraphRuntime,
  rows: readonly number[],
  weight: () => Tensor,
  gain: Tensor,
  { inside, ...variation }: Variation = {},
) {
  return runtime.bucketed('scale', {
    axes: { rows },
    inputs: { x: { shape: ['rows', 3], padding: NaN } },
    outputs: { y: ['rows', 3] },
    weights: () => [weight()],
    step({ x }) {
      inside?.();
      using scaled = multiply({ a: x, b: weight() });
      using columns = scaled.reshape(-1, 1);
      using sum = add({ a: columns, b: gain });
      return { y: sum.reshape(x.extent(0), 3) };
    },
    ...variation,
  });
}

/** Ascending numbers from `first`, in steps of a quarter. */
export function ramp(count: number, first = 0): number[] {
  return Array.from({ length: count }, (_, index) => first + (index % 13) / 4);
}

/** A matrix on a device. */
export function matrix(device: string, values: readonly number[], rows: number): Tensor {
  return fromArray(values, [rows, values.length / rows], { device });
}
