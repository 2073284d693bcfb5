// Cases of an op as data: what the shared suite tests, rejects and times.

import type { AnyOp } from '../define-op.js';
import type { DType } from '../dtype.js';

/** How the elements of an input are made. Default: normally distributed floats; integers need a rule. */
export type ValueRule =
  /** Uniform integers (or floats, for a float input) in `[low, high)`. */
  | { readonly low: number; readonly high: number }
  /** Given numbers, row-major. */
  | readonly number[]
  /** One number for every element. */
  | number;

/** One call of the op. Shapes that follow from the others may be left out; optional inputs only exist when named. */
export interface OpCase {
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  readonly attributes?: Readonly<Record<string, number | boolean | string>>;
  readonly values?: Readonly<Record<string, ValueRule>>;
  /** Types to run; default: all of the declaration's `dtypes`. */
  readonly dtypes?: readonly DType[];
  /** Types of single inputs that have a list of their own; default: the first of the list. */
  readonly inputDTypes?: Readonly<Record<string, DType>>;
}

/** A call that must be refused, with the code of the error. */
export interface RejectedCase extends OpCase {
  readonly throws: string;
}

/** Everything the shared runners need to know about an op. */
export interface OpCases {
  readonly op: AnyOp;
  /** The first is the smallest legal shape; at least one is ragged: not a multiple of any vector width. */
  readonly test: readonly OpCase[];
  readonly rejects: readonly RejectedCase[];
  readonly bench: readonly OpCase[];
  /** Bytes an ideal kernel moves; default: every input read once and every output written once. */
  readonly bytesMoved?: (call: {
    inputBytes: number;
    outputBytes: number;
    shapes: Readonly<Record<string, readonly number[]>>;
  }) => number;
  /** Floating-point operations of a call, where arithmetic is the limit. */
  readonly operations?: (shapes: Readonly<Record<string, readonly number[]>>) => number;
  /** Largest |difference| / (1 + |reference|), per type; integer results must be equal. */
  readonly tolerance: Partial<Readonly<Record<DType, number>>>;
}

/** Declares the cases of an op. */
export function opCases<Operation>(op: Operation, cases: Omit<OpCases, 'op'>): OpCases {
  return { op: op as AnyOp, ...cases };
}
