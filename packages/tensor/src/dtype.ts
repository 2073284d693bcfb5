// Element types: names, sizes, identifiers shared with native/core/dtype.h, and how each looks in host memory.

/** Names of the element types. `f8e4m3` needs a GPU of compute capability 8.9 or newer to compute with. */
export type DType = 'f32' | 'f16' | 'bf16' | 'i32' | 'i8' | 'u8' | 'f8e4m3';

/** Host view of a tensor's raw elements: 16-bit floats appear as their bits. */
export type RawArray = Float32Array | Uint16Array | Int32Array | Int8Array | Uint8Array;

/** Host view of a tensor's values: every float type as f32. */
export type ValueArray = Float32Array | Int32Array | Int8Array | Uint8Array;

interface DTypeFacts {
  /** Must equal `DType` in native/core/dtype.h. */
  readonly id: number;
  readonly bytes: number;
  readonly isFloat: boolean;
  readonly raw: (buffer: ArrayBuffer, byteOffset: number, length: number) => RawArray;
}

const facts: Readonly<Record<DType, DTypeFacts>> = {
  f32: { id: 0, bytes: 4, isFloat: true, raw: (buffer, offset, length) => new Float32Array(buffer, offset, length) },
  f16: { id: 1, bytes: 2, isFloat: true, raw: (buffer, offset, length) => new Uint16Array(buffer, offset, length) },
  bf16: { id: 2, bytes: 2, isFloat: true, raw: (buffer, offset, length) => new Uint16Array(buffer, offset, length) },
  i32: { id: 3, bytes: 4, isFloat: false, raw: (buffer, offset, length) => new Int32Array(buffer, offset, length) },
  i8: { id: 4, bytes: 1, isFloat: false, raw: (buffer, offset, length) => new Int8Array(buffer, offset, length) },
  u8: { id: 5, bytes: 1, isFloat: false, raw: (buffer, offset, length) => new Uint8Array(buffer, offset, length) },
  f8e4m3: { id: 6, bytes: 1, isFloat: true, raw: (buffer, offset, length) => new Uint8Array(buffer, offset, length) },
};

/** All element types, in the order of their identifiers. */
export const dtypes = Object.freeze(Object.keys(facts)) as readonly DType[];

/** Whether `name` is one of {@link dtypes}. */
export function isDType(name: unknown): name is DType {
  return typeof name === 'string' && Object.hasOwn(facts, name);
}

/** Bytes per element. */
export function bytesOf(dtype: DType): number {
  return facts[dtype].bytes;
}

/** Identifier of the type at the native border. */
export function idOf(dtype: DType): number {
  return facts[dtype].id;
}

/** Whether values of the type are read as f32. */
export function isFloat(dtype: DType): boolean {
  return facts[dtype].isFloat;
}

/** A typed-array view over raw elements; `byteOffset` must be a multiple of the element size. */
export function rawView(dtype: DType, buffer: ArrayBuffer, byteOffset: number, length: number): RawArray {
  return facts[dtype].raw(buffer, byteOffset, length);
}
