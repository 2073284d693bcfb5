// Making tensors: empty, filled, from numbers, from bytes.

import type { Backend } from './backends/backend.js';
import { backendFor } from './backends/backends.js';
import { encodeValues } from './host-arrays.js';
import { parseDevice } from './device.js';
import { bytesOf, type DType, isDType, dtypes } from './dtype.js';
import { ShapeMismatchError } from './errors/shape-mismatch-error.js';
import { UnsupportedDTypeError } from './errors/unsupported-dtype-error.js';
import { sizeOf } from './shape.js';
import { Storage } from './storage.js';
import { Tensor } from './tensor.js';

/** Where and as what a tensor is made. */
export interface TensorOptions {
  /** Default `'f32'`. */
  readonly dtype?: DType;
  /** `'cpu'` (default), `'cuda'`, `'cuda:N'`. */
  readonly device?: string;
}

/**
 * A tensor with undefined contents.
 *
 * @param shape - sizes, non-negative integers
 * @returns contiguous; the caller disposes it
 * @throws {OutOfMemoryError} the device has no room
 */
export function empty(shape: readonly number[], { dtype = 'f32', device = 'cpu' }: TensorOptions = {}): Tensor {
  return emptyOn(backendFor(parseDevice(device)), shape, dtype);
}

/** {@link empty} for callers that hold a backend. */
export function emptyOn(backend: Backend, shape: readonly number[], dtype: DType): Tensor {
  requireDType('empty', dtype);
  const size = sizeOf(shape);
  if (!Number.isSafeInteger(size) || shape.some((extent) => !Number.isInteger(extent) || extent < 0)) {
    throw new ShapeMismatchError(
      `empty: shape is not allowed: expected non-negative integers, got [${shape.join(', ')}]. ` +
        'Check the arithmetic that the sizes come from.',
    );
  }
  return new Tensor(new Storage(backend.device, backend.allocate(size * bytesOf(dtype))), dtype, shape);
}

/** A tensor of zeros. */
export function zeros(shape: readonly number[], options: TensorOptions = {}): Tensor {
  const tensor = empty(shape, options);
  return filled(tensor, () => backendFor(tensor.device).fill(tensor, 0));
}

/**
 * A tensor from numbers, row-major; floats are rounded to the dtype, nearest, ties to even.
 *
 * @throws {ShapeMismatchError} the count differs from the product of the sizes
 */
export function fromArray(values: ArrayLike<number>, shape: readonly number[], options: TensorOptions = {}): Tensor {
  const { dtype = 'f32' } = options;
  if (values.length !== sizeOf(shape)) {
    throw new ShapeMismatchError(
      `fromArray: values do not fill the shape: expected ${sizeOf(shape)} for [${shape.join(', ')}], got ${values.length}. ` +
        'Give one value for each element, row by row.',
    );
  }
  return fromBytes(encodeValues(values, dtype), shape, { ...options, dtype });
}

/**
 * A tensor from raw little-endian elements, which are copied.
 *
 * @throws {ShapeMismatchError} the byte count differs from the shape's
 */
export function fromBytes(bytes: Uint8Array, shape: readonly number[], options: TensorOptions = {}): Tensor {
  const tensor = empty(shape, options);
  if (bytes.byteLength !== tensor.byteLength) {
    tensor.dispose();
    throw new ShapeMismatchError(
      `fromBytes: bytes do not fill the shape: expected ${tensor.byteLength} for ${tensor.dtype}[${shape.join(', ')}], ` +
        `got ${bytes.byteLength}. Check shape and dtype against where the bytes come from.`,
    );
  }
  if (bytes.byteLength === 0) return tensor;
  return filled(tensor, () => backendFor(tensor.device).upload(tensor, bytes));
}

/**
 * A CPU tensor over bytes that exist already, such as a mapped file: nothing is copied. The bytes must not change while
 * the tensor lives, and their start must be a multiple of the element size.
 */
export function wrapBytes(bytes: Uint8Array, shape: readonly number[], dtype: DType): Tensor {
  requireDType('wrapBytes', dtype);
  const needed = sizeOf(shape) * bytesOf(dtype);
  if (bytes.byteLength !== needed || bytes.byteOffset % bytesOf(dtype) !== 0) {
    throw new ShapeMismatchError(
      `wrapBytes: bytes do not fit: expected ${needed} aligned to ${bytesOf(dtype)}, got ${bytes.byteLength} at offset ` +
        `${bytes.byteOffset}. Use fromBytes(), which copies, for bytes that are not aligned.`,
    );
  }
  return new Tensor(
    new Storage('cpu', { bytes, address: 0, byteLength: needed, release: () => undefined }),
    dtype,
    shape,
  );
}

/** A new tensor has no owner until it is returned: it is disposed when filling it fails. */
export function filled(tensor: Tensor, fill: () => void): Tensor {
  try {
    fill();
    return tensor;
  } catch (error) {
    tensor.dispose();
    throw error;
  }
}

function requireDType(caller: string, dtype: unknown): asserts dtype is DType {
  if (isDType(dtype)) return;
  const expected = dtypes.join(' | ');
  throw new UnsupportedDTypeError(
    `${caller}: dtype is unknown: expected ${expected}, got ${String(dtype)}. Choose one of these.`,
  );
}
