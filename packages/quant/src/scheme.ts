// Quantisation schemes as data: how a weight matrix [N, K] becomes codes and scales. N output channels, K inputs.

import type { DType } from '@limen/tensor';

import { UnknownSchemeError } from './errors/unknown-scheme-error.js';

/** How weights are stored. A weight is `code · scale`, with one scale for each group of neighbours in a row. */
export interface QuantizationScheme {
  readonly name: string;
  /** What a code is: a signed whole number, or a small float. */
  readonly code: 'integer' | 'float';
  readonly bitsPerCode: number;
  /** Largest magnitude of a code; the largest weight of a group maps to it. */
  readonly largestCode: number;
  /** Neighbours along K that share a scale; `'row'` when a whole output channel does. */
  readonly groupSize: number | 'row';
  /** Zero maps to code 0 and there is no zero point. */
  readonly symmetric: boolean;
  /** Element type of the tensor of codes; several codes may share an element. */
  readonly storage: DType;
  readonly scaleDType: DType;
}

/** Signed 8-bit codes in [−127, 127], one f32 scale for each output channel. */
export const int8Channel = {
  name: 'int8-channel',
  code: 'integer',
  bitsPerCode: 8,
  largestCode: 127,
  groupSize: 'row',
  symmetric: true,
  storage: 'i8',
  scaleDType: 'f32',
} as const satisfies QuantizationScheme;

/** Every scheme by name. */
export const schemes = { 'int8-channel': int8Channel } as const satisfies Record<string, QuantizationScheme>;

/** Name of a scheme. */
export type SchemeName = keyof typeof schemes;

/**
 * Finds a scheme by name, for example one given on a command line.
 * @throws {UnknownSchemeError} no scheme has the name
 */
export function schemeNamed(name: string): QuantizationScheme {
  const found = Object.entries(schemes).find(([key]) => key === name);
  if (found === undefined) throw new UnknownSchemeError('schemeNamed', name, Object.keys(schemes));
  return found[1];
}

/** Shapes of the stored parts of a matrix. */
export interface StoredShapes {
  /** Codes, in elements of `scheme.storage`. */
  readonly values: readonly [rows: number, columns: number];
  readonly scales: readonly number[];
}

const storageBits: Readonly<Record<DType, number>> = { f32: 32, f16: 16, bf16: 16, i32: 32, i8: 8, u8: 8, f8e4m3: 8 };

/**
 * Shapes in which a scheme stores a matrix `[N, K]`: codes `[N, ⌈K · bits / element bits⌉]`, scales `[N]` for one
 * scale a row and `[N, ⌈K / groupSize⌉]` otherwise.
 */
export function storedShapes(scheme: QuantizationScheme, [rows, columns]: readonly [number, number]): StoredShapes {
  const stored = Math.ceil((columns * scheme.bitsPerCode) / storageBits[scheme.storage]);
  const scales = scheme.groupSize === 'row' ? [rows] : [rows, Math.ceil(columns / scheme.groupSize)];
  return { values: [rows, stored], scales };
}

/** Bytes of codes and scales together for a matrix `[N, K]`. */
export function storedBytes(scheme: QuantizationScheme, shape: readonly [number, number]): number {
  const { values, scales } = storedShapes(scheme, shape);
  const bits =
    values[0] * values[1] * storageBits[scheme.storage] +
    scales.reduce((product, size) => product * size, 1) * storageBits[scheme.scaleDType];
  return bits / 8;
}
