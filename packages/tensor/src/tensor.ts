// A tensor: storage, shape, strides and offset. It holds memory and knows its geometry; it does no maths.

import { DisposedError } from '@limen/cuda-kernels';

import { describeTensor } from './describe.js';
import type { DeviceName } from './device.js';
import { bytesOf, type DType } from './dtype.js';
import { LayoutError } from './errors/layout-error.js';
import { ShapeMismatchError } from './errors/shape-mismatch-error.js';
import { contiguousStrides, hasDenseRows, isContiguous, normalizeAxis, sizeOf } from './shape.js';
import type { Storage } from './storage.js';

/**
 * An n-dimensional array on one device.
 *
 * Owns one reference to its storage: end it with `using`, or call `dispose()`. Views made by `reshape`, `slice`,
 * `transpose`, `unsqueeze`, `squeeze` and `viewAs` share the storage, own a reference of their own and copy nothing.
 * On CUDA, ops return before the work is done; `await read(tensor)` is the way to see numbers.
 */
export class Tensor implements Disposable {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Elements between neighbours along each axis. */
  readonly strides: readonly number[];
  /** Elements before the first one. */
  readonly offset: number;
  readonly #storage: Storage;
  #disposed = false;

  /** Takes over one reference to `storage`. */
  constructor(storage: Storage, dtype: DType, shape: readonly number[], strides?: readonly number[], offset = 0) {
    this.#storage = storage;
    this.dtype = dtype;
    this.shape = Object.freeze(shape.slice());
    this.strides = Object.freeze((strides ?? contiguousStrides(shape)).slice());
    this.offset = offset;
  }

  get device(): DeviceName {
    return this.#storage.device;
  }

  /** Number of elements. */
  get size(): number {
    return sizeOf(this.shape);
  }

  /** Bytes that the elements take when stored densely. */
  get byteLength(): number {
    return this.size * bytesOf(this.dtype);
  }

  get rank(): number {
    return this.shape.length;
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  /** @throws {DisposedError} after `dispose()` */
  get storage(): Storage {
    if (this.#disposed) throw new DisposedError(`tensor ${describeTensor(this)}`);
    return this.#storage;
  }

  /** Row-major without gaps. */
  get isContiguous(): boolean {
    return isContiguous(this.shape, this.strides);
  }

  /** Dense along the last axis. */
  get hasDenseRows(): boolean {
    return hasDenseRows(this.shape, this.strides);
  }

  /** Size of an axis; negative axes count from the end. */
  extent(axis: number): number {
    return this.shape[this.#axis(axis, 'extent')] ?? 1;
  }

  /**
   * The same elements under another shape. One size may be -1 and is worked out.
   *
   * @throws {LayoutError} the tensor is not contiguous
   * @throws {ShapeMismatchError} the sizes do not multiply to the same number
   */
  reshape(...shape: number[]): Tensor {
    if (!this.isContiguous) {
      throw new LayoutError(
        `reshape: tensor ${describeTensor(this)} has gaps: expected a contiguous one, got strides ` +
          `[${this.strides.join(', ')}]. Use contiguous(tensor) first.`,
      );
    }
    const open = shape.indexOf(-1);
    const known = shape.reduce((product, extent) => (extent === -1 ? product : product * extent), 1);
    const filled = open < 0 ? shape : shape.with(open, known === 0 ? 0 : this.size / known);
    if (sizeOf(filled) !== this.size || filled.some((extent) => !Number.isInteger(extent) || extent < 0)) {
      throw new ShapeMismatchError(
        `reshape: shape does not fit: expected ${this.size} elements of ${describeTensor(this)}, got [${shape.join(', ')}]. Give sizes with that product, or -1 for one of them.`,
      );
    }
    return this.#view(filled, contiguousStrides(filled), this.offset);
  }

  /** Elements `start..end` of one axis; `end` defaults to the axis' size. */
  slice(axis: number, start: number, end?: number): Tensor {
    const at = this.#axis(axis, 'slice');
    const extent = this.shape[at] ?? 0;
    const stop = end ?? extent;
    if (!Number.isInteger(start) || !Number.isInteger(stop) || start < 0 || stop < start || stop > extent) {
      throw new ShapeMismatchError(
        `slice: range is outside axis ${at}: expected within [0, ${extent}] of ${describeTensor(this)}, ` +
          `got [${start}, ${stop}). Count both ends from 0; the end is not included.`,
      );
    }
    return this.#view(this.shape.with(at, stop - start), this.strides, this.offset + start * (this.strides[at] ?? 0));
  }

  /** Swaps two axes. */
  transpose(first: number, second: number): Tensor {
    const a = this.#axis(first, 'transpose');
    const b = this.#axis(second, 'transpose');
    const swap = (values: readonly number[]) => values.with(a, values[b] ?? 1).with(b, values[a] ?? 1);
    return this.#view(swap(this.shape), swap(this.strides), this.offset);
  }

  /** Inserts an axis of size 1 before `axis`. */
  unsqueeze(axis: number): Tensor {
    const at = axis < 0 ? axis + this.rank + 1 : axis;
    if (!Number.isInteger(at) || at < 0 || at > this.rank) this.#axis(Number.NaN, 'unsqueeze');
    return this.#view(this.shape.toSpliced(at, 0, 1), this.strides.toSpliced(at, 0, 1), this.offset);
  }

  /** Removes an axis of size 1. */
  squeeze(axis: number): Tensor {
    const at = this.#axis(axis, 'squeeze');
    if (this.shape[at] !== 1) {
      throw new ShapeMismatchError(
        `squeeze: axis ${at} has the wrong size: expected 1, got ${this.shape[at]} in ${describeTensor(this)}. ` +
          'Use slice() to choose one element, or reshape() to join axes.',
      );
    }
    return this.#view(this.shape.toSpliced(at, 1), this.strides.toSpliced(at, 1), this.offset);
  }

  /** Splits an axis in two: `[.., A·B, ..]` → `[.., A, B, ..]`. Works on strided tensors, unlike `reshape`. */
  unflatten(axis: number, outer: number, inner: number): Tensor {
    const at = this.#axis(axis, 'unflatten');
    const stride = this.strides[at] ?? 1;
    if (outer * inner !== this.shape[at]) {
      throw new ShapeMismatchError(
        `unflatten: sizes do not make axis ${at}: expected a product of ${this.shape[at]} for ${describeTensor(this)}, ` +
          `got ${outer}·${inner}. Divide the axis' size by one of them.`,
      );
    }
    return this.#view(
      this.shape.toSpliced(at, 1, outer, inner),
      this.strides.toSpliced(at, 1, stride * inner, stride),
      this.offset,
    );
  }

  /**
   * The same bytes as elements of another type: nothing is converted. `[.., N]` becomes `[.., N · bytes / newBytes]`;
   * a scalar keeps its shape.
   *
   * @throws {LayoutError} the last axis is not dense, or a row does not start on a whole element of the new type
   * @throws {ShapeMismatchError} the bytes of a row are no whole number of elements of the new type
   */
  viewAs(dtype: DType): Tensor {
    const [from, to] = [bytesOf(this.dtype), bytesOf(dtype)];
    const rescale = (count: number) => (count * from) / to;
    const last = this.rank - 1;
    const width = rescale(this.shape[last] ?? 1);
    if (!Number.isInteger(width) || (last < 0 && from !== to)) {
      throw new ShapeMismatchError(
        `viewAs: last axis does not fit: expected a multiple of ${to} bytes for ${dtype}, got ${describeTensor(this)}. ` +
          'Slice or pad it first, or convert the values with cast().',
      );
    }
    if (from === to) return this.#view(this.shape, this.strides, this.offset, dtype);
    const outer = this.strides.slice(0, -1).map((stride, axis) => (this.shape[axis] === 1 ? 0 : rescale(stride)));
    const offset = rescale(this.offset);
    if (!this.hasDenseRows || ![...outer, offset].every(Number.isInteger)) {
      throw new LayoutError(
        `viewAs: rows do not fit: expected dense ones that start at a multiple of ${to} bytes, got strides ` +
          `[${this.strides.join(', ')}] and offset ${this.offset} of ${this.dtype}. Use contiguous(tensor) first.`,
      );
    }
    return this.#view(this.shape.with(last, width), [...outer, 1], offset, dtype);
  }

  /** Another tensor over the same elements, with a reference of its own. */
  clone(): Tensor {
    return this.#view(this.shape, this.strides, this.offset);
  }

  /** Ends this tensor's hold on its storage. Doing it twice is fine. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#storage.release();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  toString(): string {
    return `Tensor(${describeTensor(this)}${this.#disposed ? ', disposed' : ''})`;
  }

  #view(shape: readonly number[], strides: readonly number[], offset: number, dtype = this.dtype): Tensor {
    return new Tensor(this.storage.retain(), dtype, shape, strides, offset);
  }

  #axis(axis: number, action: string): number {
    const normal = normalizeAxis(axis, this.rank);
    if (normal < 0) {
      throw new ShapeMismatchError(
        `${action}: axis is out of range: expected -${this.rank}..${this.rank - 1}, got ${axis} for ${describeTensor(this)}. ` +
          'Axes count from 0, or from -1 at the end.',
      );
    }
    return normal;
  }
}
