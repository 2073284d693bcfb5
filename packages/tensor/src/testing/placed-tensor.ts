// A tensor between guards: poisoned memory around (and in) it shows writes that stray and elements never written.

import { backendFor } from '../backends/backends.js';
import { fromBytes } from '../create.js';
import type { DeviceName } from '../device.js';
import { bytesOf, type ValueArray } from '../dtype.js';
import { decodeRaw, encodeValues } from '../host-arrays.js';
import { rawView } from '../dtype.js';
import type { Layout } from '../op-declaration.js';
import { contiguousStrides, extentOf } from '../shape.js';
import { Tensor } from '../tensor.js';
import { readBytes } from '../transfer.js';
import type { CaseArray } from './case-values.js';

/** All ones: NaN in every float type, -1 in every signed integer. */
const poison = 0xff;
const guardElements = 64;

/** Where a tensor lies in its memory. */
export type Placement = 'aligned' | 'misaligned';

/** A tensor on a device with guards around it. */
export class PlacedTensor implements Disposable {
  readonly tensor: Tensor;
  readonly #flat: Tensor;
  readonly #array: CaseArray;
  readonly #initial: Uint8Array;

  /** Without `filled`, the tensor itself is poisoned too: an output. */
  constructor(array: CaseArray, device: DeviceName, placement: Placement, layout: Layout, filled: boolean) {
    const { dtype, shape } = array;
    const odd = placement === 'misaligned';
    const gap = odd && layout !== 'contiguous' ? 3 : 0;
    const step = odd && layout === 'strided' ? 2 : 1;
    const last = shape.length - 1;
    const padded = last < 0 ? [] : shape.with(last, ((shape[last] ?? 1) + gap) * step);
    const strides = contiguousStrides(padded).map((stride, axis) => (axis === last ? step : stride));
    const offset = guardElements + (odd ? 1 : 0);
    const elements = offset + Math.max(extentOf(shape, strides), 0) + guardElements;
    const bytes = new Uint8Array(elements * bytesOf(dtype)).fill(poison);
    this.#array = array;
    if (filled) {
      using host = fromBytes(bytes, [elements], { dtype });
      scatter(host, encodeValues(array.values, dtype), array, strides, offset);
      bytes.set(host.storage.bytes);
    }
    this.#initial = bytes;
    this.#flat = fromBytes(bytes, [elements], { dtype, device });
    this.tensor = new Tensor(this.#flat.storage.retain(), dtype, shape, strides, offset);
  }

  /** Puts the initial contents back. */
  reset(): void {
    backendFor(this.tensor.device).upload(this.#flat, this.#initial);
  }

  /** Values now, and the number of bytes outside the tensor that were changed. */
  async inspect(): Promise<{ values: ValueArray; strayBytes: number }> {
    const bytes = await readBytes(this.#flat);
    const { dtype, shape } = this.#array;
    using host = fromBytes(bytes, this.#flat.shape, { dtype });
    using view = new Tensor(host.storage.retain(), dtype, shape, this.tensor.strides, this.tensor.offset);
    const dense = await readBytes(view);
    const values = decodeRaw(rawView(dtype, dense.buffer, 0, view.size), dtype);
    // Whatever the op wrote inside the tensor is made equal again; any other difference is a stray write.
    const expected = this.#initial.slice();
    using restored = fromBytes(expected, this.#flat.shape, { dtype });
    scatter(restored, dense, this.#array, this.tensor.strides, this.tensor.offset);
    const after = restored.storage.bytes;
    let strayBytes = 0;
    if (Buffer.compare(bytes, after) !== 0) {
      for (let index = 0; index < bytes.length; index++) if (bytes[index] !== after[index]) strayBytes++;
    }
    return { values, strayBytes };
  }

  [Symbol.dispose](): void {
    this.tensor.dispose();
    this.#flat.dispose();
  }
}

/** Writes dense elements into a strided place of a flat CPU tensor, a run of neighbouring elements at a time. */
function scatter(
  flat: Tensor,
  dense: Uint8Array,
  { dtype, shape }: CaseArray,
  strides: readonly number[],
  offset: number,
): void {
  const width = bytesOf(dtype);
  const target = flat.storage.bytes;
  const run = (strides.at(-1) ?? 1) === 1 ? (shape.at(-1) ?? 1) : 1;
  const index = new Array<number>(shape.length).fill(0);
  const first = run === 1 ? shape.length - 1 : shape.length - 2;
  for (let at = 0; at < dense.byteLength; at += run * width) {
    const element = index.reduce((sum, position, axis) => sum + position * (strides[axis] ?? 0), offset);
    target.set(dense.subarray(at, at + run * width), element * width);
    for (let axis = first; axis >= 0; axis--) {
      index[axis] = (index[axis] ?? 0) + 1;
      if ((index[axis] ?? 0) < (shape[axis] ?? 0)) break;
      index[axis] = 0;
    }
  }
}
