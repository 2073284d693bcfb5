// How a function of tensors is declared for buckets: its axes, its inputs with their padding, its outputs.

import type { DType, Tensor } from '@limen/tensor';

import type { AxisBuckets, AxisSizes } from './axes.js';

/** An axis of a tensor: the name of a bucketed axis, or a fixed size. */
export type ShapePart<Axis extends string = string> = Axis | number;

/** An input that callers give. */
export interface DataInput<Axis extends string = string> {
  readonly shape: readonly ShapePart<Axis>[];
  /** Default `'f32'`. */
  readonly dtype?: DType;
  /** What the bucket holds beyond the request; default 0. */
  readonly padding?: number;
}

/** An input that the runtime makes: 1 within the request, 0 where the bucket is padding. */
export interface MaskInput<Axis extends string = string> {
  /** Axes of the mask, outermost first. */
  readonly mask: readonly Axis[];
  /** Default `'f32'`. */
  readonly dtype?: DType;
}

/** An input that the runtime makes: `[1]` i32, how far the request reaches along an axis. */
export interface SizeInput<Axis extends string = string> {
  readonly sizeOf: Axis;
}

/** Any input. */
export type InputDeclaration<Axis extends string = string> = DataInput<Axis> | MaskInput<Axis> | SizeInput<Axis>;

/** Inputs by name. */
export type InputDeclarations<Axis extends string = string> = Readonly<Record<string, InputDeclaration<Axis>>>;

/** Outputs by name: their shapes, in which a named axis is cut to the request. */
export type OutputDeclarations<Axis extends string = string> = Readonly<Record<string, readonly ShapePart<Axis>[]>>;

/** Names of the inputs that callers give. */
export type DataNames<Inputs> = {
  [Name in keyof Inputs]: Inputs[Name] extends { readonly shape: unknown } ? Name : never;
}[keyof Inputs];

/** What callers give: tensors of any device, or the values of an input, row-major. */
export type GivenInputs<Inputs> = { readonly [Name in DataNames<Inputs>]: Tensor | ArrayLike<number> };

/** What the function gets: a tensor for every declared input, of the bucket's size. */
export type StepInputs<Inputs> = { readonly [Name in keyof Inputs]: Tensor };

/** What the function returns: a tensor for every declared output. */
export type StepOutputs<Outputs> = { readonly [Name in keyof Outputs]: Tensor };

/**
 * When a bucket is captured.
 *
 * `'lazy'`: in the first call that needs it, which takes so much longer. `'background'`: between calls, one bucket for
 * each turn of the event loop, while eager runs serve. `'ahead'`: every bucket at declaration. `'never'`: eager only.
 */
export type CaptureMode = 'lazy' | 'background' | 'ahead' | 'never';

/** A function of tensors and the sizes to capture it for. */
export interface BucketedDeclaration<
  Axis extends string,
  Inputs extends InputDeclarations<Axis>,
  Outputs extends OutputDeclarations<Axis>,
> {
  /** For each axis the sizes that get a graph, in any order; a request is padded up to the next. */
  readonly axes: Readonly<Record<Axis, AxisBuckets>>;
  readonly inputs: Inputs;
  readonly outputs: Outputs;
  /**
   * Launches ops on its inputs and returns its outputs. It may run any number of times: it must not write to its inputs,
   * and what else it writes to must not depend on how often. What lies in the padding must not reach the request's rows:
   * that is what masks are for.
   */
  readonly step: (inputs: StepInputs<Inputs>, sizes: AxisSizes<Axis>) => StepOutputs<Outputs>;
  /** Default `'lazy'`. */
  readonly mode?: CaptureMode;
  /** Eager runs before each capture; default 1. */
  readonly warmUps?: number;
  /**
   * Compares the first replay of every capture with an eager run on the same inputs, and serves the eager result until
   * they have proven equal; default true.
   */
  readonly verifyFirstReplay?: boolean;
  /** Largest difference allowed then, relative above magnitude 1; default 0: equal to the bit. */
  readonly tolerance?: number;
  /** Failures after which a bucket stays eager; default 3. The tries in between wait for 1, 4, 16 … eager calls. */
  readonly maxFailures?: number;
  /** The tensors that the function uses besides its inputs. When one is replaced, every bucket is captured anew. */
  readonly weights?: () => Iterable<Tensor>;
}
