// What every reader of stored weights offers, whatever the file format, and the element types that files may hold.

import type { DType } from '../dtype.js';

/** Element types that occur in files. Those outside {@link DType} can be listed but not read. */
export type StoredDType = DType | 'f64' | 'f8e5m2' | 'i64' | 'i16' | 'u64' | 'u32' | 'u16' | 'bool';

/** Where a stored tensor lies and what it looks like. */
export interface StoredTensorInfo {
  readonly dtype: StoredDType;
  readonly shape: readonly number[];
  /** Distance of the first byte from the start of the file that holds it. */
  readonly byteOffset: number;
  readonly byteLength: number;
}

/** A read-only collection of named tensors, read one at a time. */
export interface TensorSource {
  /** All names, in file order. */
  names(): readonly string[];
  has(name: string): boolean;
  /** @throws {LimenError} there is no tensor of that name */
  info(name: string): StoredTensorInfo;
  /**
   * The tensor's bytes, little-endian and row-major. They may be a view of a mapped file: treat them as read-only, and
   * expect any alignment.
   * @throws {LimenError} no such tensor, or its element type is outside {@link DType}
   */
  bytes(name: string): Uint8Array;
  /** Closes the files; views of mapped files stay valid. Further calls of `bytes` throw. */
  close(): void;
  [Symbol.dispose](): void;
}

const storedBytes: Readonly<Record<StoredDType, number>> = {
  f32: 4,
  f16: 2,
  bf16: 2,
  i32: 4,
  i8: 1,
  u8: 1,
  f8e4m3: 1,
  f64: 8,
  f8e5m2: 1,
  i64: 8,
  i16: 2,
  u64: 8,
  u32: 4,
  u16: 2,
  bool: 1,
};

/** Bytes per element of a stored type. */
export function storedBytesOf(dtype: StoredDType): number {
  return storedBytes[dtype];
}
