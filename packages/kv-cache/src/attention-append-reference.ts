// What the two ops of a whole decode step share: their clauses, and how they see one token of each sequence.

import type { ContractProblem, HostArray, Sizes } from '@limen/tensor';

import { checkAppend } from './append-reference.js';
import { checkDecode } from './decode-reference.js';

/** Clauses beyond the shapes: those of an append and those of decode attention. */
export function checkAttentionAppend(
  sizes: Sizes,
  attributes: Readonly<Record<string, unknown>>,
): ContractProblem | undefined {
  return checkAppend(sizes, attributes) ?? checkDecode(sizes, attributes);
}

/** `[B, …]` as `[B, 1, …]`: the same numbers, as ops on several tokens take them. */
export function tokenOf<Data extends Float32Array | Int32Array>(x: HostArray<Data>): HostArray<Data> {
  const [batches = 0, ...rest] = x.shape;
  return { ...x, shape: [batches, 1, ...rest] };
}
