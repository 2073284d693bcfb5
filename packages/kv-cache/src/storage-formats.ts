// How keys and values are stored: names, sizes and element types. Pure data.

import type { DType } from '@limen/tensor';

/** How a key or value vector is stored: bits for each element, and scales beside each vector. */
export interface CacheFormat {
  readonly bitsPerElement: number;
  /** Bytes stored once for each token and head beside its elements; 0 for unscaled formats. */
  readonly scaleBytesPerVector: number;
  /** Tensor type of the elements; `int4` keeps two in a `u8`, the even one in the low nibble. */
  readonly elementDType: DType;
  /** Scales of one vector: none for floats, one `f32` factor, or an `f16` pair of factor and lowest value. */
  readonly scales: { readonly dtype: DType; readonly count: number } | undefined;
}

/** Storage formats by name. */
export const cacheFormats = {
  f32: { bitsPerElement: 32, scaleBytesPerVector: 0, elementDType: 'f32', scales: undefined },
  f16: { bitsPerElement: 16, scaleBytesPerVector: 0, elementDType: 'f16', scales: undefined },
  bf16: { bitsPerElement: 16, scaleBytesPerVector: 0, elementDType: 'bf16', scales: undefined },
  fp8: { bitsPerElement: 8, scaleBytesPerVector: 4, elementDType: 'f8e4m3', scales: { dtype: 'f32', count: 1 } },
  int8: { bitsPerElement: 8, scaleBytesPerVector: 4, elementDType: 'i8', scales: { dtype: 'f32', count: 1 } },
  int4: { bitsPerElement: 4, scaleBytesPerVector: 4, elementDType: 'u8', scales: { dtype: 'f16', count: 2 } },
} as const satisfies Record<string, CacheFormat>;

/** Name of a storage format. */
export type CacheDType = keyof typeof cacheFormats;

/** Name of a storage format whose vectors have scales. */
export type ScaledCacheDType = 'fp8' | 'int8' | 'int4';

/**
 * Order of the axes of a page in memory: `NHD` keeps the heads of a token together, `HND` the tokens of a head.
 * A decode step reads one head's tokens in a row, so `HND` gives it longer runs.
 */
export type PageLayout = 'NHD' | 'HND';

/** Layout of pages when none is asked for. */
export const defaultPageLayout: PageLayout = 'HND';

/** Elements that a stored vector of `headSize` takes along its last axis. */
export function storedHeadSize(dtype: CacheDType, headSize: number): number {
  return dtype === 'int4' ? headSize / 2 : headSize;
}
