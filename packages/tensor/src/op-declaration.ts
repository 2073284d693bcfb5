// The vocabulary in which ops are declared: shapes with named sizes, dtypes, attributes, aliasing.

import type { DType, ValueArray } from './dtype.js';

/** One axis: a named size (`'C'`), a fixed size (`3`), or `'...'` for any number of leading axes. */
export type Axis = string | number;

/** `contiguous`: row-major without gaps; `rows`: dense along the last axis only; `strided`: anything. */
export type Layout = 'contiguous' | 'rows' | 'strided';

/** What an op asks of one input. */
export interface InputContract {
  readonly shape: readonly Axis[];
  /** Types it may have; without this it takes part in the op's common type, one of the declaration's `dtypes`. */
  readonly dtype?: readonly DType[];
  readonly layout?: Layout;
  readonly optional?: boolean;
  /** Its shape is the end of another input's: none, some or all of its axes. `shape` is `['...']` then. */
  readonly suffixOf?: string;
  /** The op writes to it. */
  readonly mutated?: boolean;
}

/** What an op makes. */
export interface OutputContract {
  readonly shape: readonly Axis[] | ((sizes: Sizes, attributes: Readonly<Record<string, AttributeValue>>) => number[]);
  /** Name of the input whose type it shares, a fixed type, or a function of the attributes. Default: the common type. */
  readonly dtype?: string | ((attributes: Readonly<Record<string, AttributeValue>>) => DType);
  readonly layout?: Layout;
  /** The input that `out` may be, or share memory with at the same place. */
  readonly mayAlias?: string;
}

/** An attribute with a fixed set of words, packed as the index of the word. */
export interface Choice<Word extends string = string> {
  readonly choices: readonly Word[];
  readonly default: Word;
}

/** Value of an attribute in a call. */
export type AttributeValue = number | boolean | string;

/** Declares an attribute that is one of several words; the first is the default. */
export function choice<const Words extends readonly [string, ...string[]]>(...words: Words): Choice<Words[number]> {
  return { choices: words, default: words[0] };
}

export type AttributeContract = number | boolean | Choice;

/** Sizes bound by a call, by name. */
export interface Sizes {
  /** The size bound to a name. */
  get(name: string): number;
  /** The axes bound to `'...'`. */
  readonly leading: readonly number[];
  /** Whether an optional input was given. */
  has(input: string): boolean;
  /** Element type of an input; undefined for an optional one that was not given. */
  dtypeOf(input: string): DType | undefined;
}

/** A clause beyond the shapes, e.g. “H is a multiple of K”. */
export interface ContractProblem {
  readonly argument: string;
  readonly expected: string;
  readonly got: string;
  readonly fix?: string;
}

/** A tensor as the CPU reference sees it: contiguous, floats as f32. */
export interface HostArray<Data extends ValueArray = Float32Array> {
  readonly data: Data;
  readonly shape: readonly number[];
}

/** Everything there is to say about an op. */
export interface OpDeclaration {
  /** camelCase; the file is kebab-case.ts. */
  readonly name: string;
  readonly inputs: Readonly<Record<string, InputContract>>;
  readonly outputs: Readonly<Record<string, OutputContract>>;
  /** Types that the inputs without a `dtype` of their own may share. */
  readonly dtypes: readonly DType[];
  readonly attributes?: Readonly<Record<string, AttributeContract>>;
  /** Further clauses; return the first that is broken. */
  readonly check?: (sizes: Sizes, attributes: Readonly<Record<string, AttributeValue>>) => ContractProblem | undefined;
  /** snake_case name of the kernel in native/kernels, and of the SIMD version in native/cpu where there is one. */
  readonly kernel: string;
  /** The paper, specification or reference implementation that defines the op. */
  readonly source: string;
}

/** A declaration with its reference, whose types are not known. */
export interface RunnableDeclaration extends OpDeclaration {
  reference(arrays: Readonly<Record<string, unknown>>, attributes: Readonly<Record<string, AttributeValue>>): void;
}
