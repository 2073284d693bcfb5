// Between CPU tensors of any dtype and layout, and the contiguous arrays that references read and write.

import { bytesOf, type DType, type RawArray, type ValueArray, rawView } from './dtype.js';
import { LayoutError } from './errors/layout-error.js';
import {
  decodeBFloat16,
  decodeFloat16,
  decodeFloat8,
  encodeBFloat16,
  encodeFloat16,
  encodeFloat8,
} from './number-formats.js';
import { extentOf } from './shape.js';
import type { Tensor } from './tensor.js';

/** Values of raw elements; f32 and integers are returned as they are, not copied. */
export function decodeRaw(raw: RawArray, dtype: DType): ValueArray {
  switch (dtype) {
    case 'bf16':
      return decodeBFloat16(raw as Uint16Array);
    case 'f16':
      return decodeFloat16(raw as Uint16Array);
    case 'f8e4m3':
      return decodeFloat8(raw as Uint8Array);
    default:
      return raw as ValueArray;
  }
}

/** Raw elements of values, rounded to the type. Arrays of the right kind are returned as they are. */
export function encodeRaw(values: ValueArray, dtype: DType): RawArray {
  switch (dtype) {
    case 'bf16':
      return encodeBFloat16(values as Float32Array);
    case 'f16':
      return encodeFloat16(values as Float32Array);
    case 'f8e4m3':
      return encodeFloat8(values as Float32Array);
    default:
      return values;
  }
}

/** Bytes of plain numbers stored as `dtype`. */
export function encodeValues(values: ArrayLike<number>, dtype: DType): Uint8Array {
  const typed = (() => {
    switch (dtype) {
      case 'i32':
        return Int32Array.from(values);
      case 'i8':
        return Int8Array.from(values);
      case 'u8':
        return Uint8Array.from(values);
      default:
        return values instanceof Float32Array ? values : Float32Array.from(values);
    }
  })();
  const raw = encodeRaw(typed, dtype);
  return new Uint8Array(raw.buffer, raw.byteOffset, raw.byteLength);
}

/** The raw elements a CPU tensor spans, from its first to its last, gaps included. */
function spanOf(tensor: Tensor): RawArray {
  const { bytes } = tensor.storage;
  const elementBytes = tensor.byteLength / Math.max(1, tensor.size);
  const start = bytes.byteOffset + tensor.offset * elementBytes;
  if (tensor.size > 0 && start % elementBytes !== 0) {
    throw new LayoutError(
      `tensor ${tensor.dtype}[${tensor.shape.join(', ')}] has the wrong start: expected a multiple of ${elementBytes} bytes, ` +
        `got ${start}. Copy the bytes with fromBytes().`,
    );
  }
  return rawView(
    tensor.dtype,
    bytes.buffer as ArrayBuffer,
    tensor.size === 0 ? 0 : start,
    extentOf(tensor.shape, tensor.strides),
  );
}

/** Calls `visit(dense, strided, count)` for every run of neighbouring elements, in row-major order. */
function forEachRun(tensor: Tensor, visit: (dense: number, strided: number, count: number) => void): void {
  const { shape, strides, size } = tensor;
  const last = shape.length - 1;
  const isDense = last >= 0 && strides[last] === 1;
  const run = isDense ? (shape[last] ?? 1) : 1;
  const outer = isDense ? last - 1 : last;
  const index = new Array<number>(shape.length).fill(0);
  let strided = 0;
  for (let dense = 0; dense < size; dense += run) {
    visit(dense, strided, run);
    for (let axis = outer; axis >= 0; axis--) {
      const next = (index[axis] ?? 0) + 1;
      strided += strides[axis] ?? 0;
      if (next < (shape[axis] ?? 0)) {
        index[axis] = next;
        break;
      }
      strided -= next * (strides[axis] ?? 0);
      index[axis] = 0;
    }
  }
}

/** Raw elements in row-major order; no copy when the tensor is contiguous. */
export function denseRaw(tensor: Tensor): RawArray {
  const span = spanOf(tensor);
  if (tensor.isContiguous) return span;
  const dense = rawView(tensor.dtype, new ArrayBuffer(tensor.byteLength), 0, tensor.size);
  forEachRun(tensor, (to, from, count) => dense.set(span.subarray(from, from + count), to));
  return dense;
}

/** What a reference reads. Shares memory with the tensor where dtype and layout allow it. */
export function hostValues(tensor: Tensor): ValueArray {
  return decodeRaw(denseRaw(tensor), tensor.dtype);
}

/** Whether {@link hostValues} gives the tensor's own memory, so that writing to it needs no {@link storeValues}. */
export function sharesHostMemory(tensor: Tensor): boolean {
  return tensor.isContiguous && !['bf16', 'f16', 'f8e4m3'].includes(tensor.dtype);
}

/** Writes what a reference made back into a tensor, rounding to its type. */
export function storeValues(tensor: Tensor, values: ValueArray): void {
  const raw = encodeRaw(values, tensor.dtype);
  const span = spanOf(tensor);
  if (tensor.isContiguous) span.set(raw);
  else forEachRun(tensor, (dense, strided, count) => span.set(raw.subarray(dense, dense + count), strided));
}

/** Values of raw little-endian bytes, which may start anywhere. */
export function rawValues(bytes: Uint8Array, dtype: DType): ValueArray {
  const aligned = bytes.byteOffset % bytesOf(dtype) === 0 ? bytes : bytes.slice();
  return decodeRaw(
    rawView(dtype, aligned.buffer as ArrayBuffer, aligned.byteOffset, bytes.byteLength / bytesOf(dtype)),
    dtype,
  );
}
