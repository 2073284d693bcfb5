// What the two ops of a whole decode step share: their attributes and clauses, and how they see one token of each sequence.

import { choice, type ContractProblem, type HostArray, type Sizes } from '@limen/tensor';

import { checkAppend } from './append-reference.js';
import { checkDecode } from './decode-reference.js';

/** Clauses beyond the shapes: those of an append and those of decode attention. */
export function checkAttentionAppend(
  sizes: Sizes,
  attributes: Readonly<Record<string, unknown>>,
): ContractProblem | undefined {
  return checkAppend(sizes, attributes) ?? checkDecode(sizes, attributes);
}

/** Attributes of both ops: those of an append, those of decode attention, and a promise. */
export const attentionAppendAttributes = {
  rotary: choice('none', 'half', 'interleaved'),
  base: 10000,
  rotaryDimensions: 0,
  scale: 0,
  window: 0,
  sinks: 0,
  settledCache: false,
};

/** What belongs to the new token of each sequence. */
interface NewTokens {
  readonly q: HostArray;
  readonly k: HostArray;
  readonly v: HostArray;
  readonly positions: HostArray<Int32Array>;
  readonly rotaryPositions: HostArray<Int32Array> | undefined;
}

/** New tokens as an append takes them, and the queries that it turns: a copy, since an op leaves its own as they are. */
export function newTokens({ q, k, v, positions, rotaryPositions }: NewTokens) {
  const turned = { data: q.data.slice(), shape: q.shape };
  const tokens = {
    q: tokenOf(turned),
    k: tokenOf(k),
    v: tokenOf(v),
    positions: tokenOf(positions),
    rotaryPositions: rotaryPositions && tokenOf(rotaryPositions),
  };
  return { turned, tokens };
}

/** `[B, …]` as `[B, 1, …]`: the same numbers, as ops on several tokens take them. */
function tokenOf<Data extends Float32Array | Int32Array>(x: HostArray<Data>): HostArray<Data> {
  const [batches = 0, ...rest] = x.shape;
  return { ...x, shape: [batches, 1, ...rest] };
}
