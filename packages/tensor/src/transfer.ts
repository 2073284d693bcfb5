// Between tensors and the host, and between devices.

import { backendFor } from './backends/backends.js';
import { emptyOn, filled, fromBytes } from './create.js';
import { parseDevice } from './device.js';
import { rawView, type ValueArray } from './dtype.js';
import { ShapeMismatchError } from './errors/shape-mismatch-error.js';
import { decodeRaw, encodeValues } from './host-arrays.js';
import { copy } from './ops/copy.js';
import type { Tensor } from './tensor.js';

/** The tensor itself (a new reference) when it is contiguous, else a dense copy. The caller disposes it. */
export function contiguous(tensor: Tensor): Tensor {
  return tensor.isContiguous ? tensor.clone() : copy({ x: tensor });
}

/**
 * Waits for the work that makes the tensor and copies its values out, row-major; floats of any width as f32.
 *
 * @returns an array of the caller's own
 */
export async function read(tensor: Tensor): Promise<ValueArray> {
  const bytes = await readBytes(tensor);
  return decodeRaw(rawView(tensor.dtype, bytes.buffer, 0, tensor.size), tensor.dtype);
}

/** The raw little-endian elements, row-major. */
export async function readBytes(tensor: Tensor): Promise<Uint8Array<ArrayBuffer>> {
  using dense = contiguous(tensor);
  return backendFor(tensor.device).download(dense);
}

/** Overwrites a contiguous tensor with numbers, in order with the ops before and after. */
export function write(tensor: Tensor, values: ArrayLike<number>): void {
  if (values.length !== tensor.size || !tensor.isContiguous) {
    const layout = tensor.isContiguous ? 'a contiguous tensor' : 'a tensor with gaps';
    throw new ShapeMismatchError(
      `write: values do not fill the tensor: expected ${tensor.size} into a contiguous tensor, got ${values.length} into ${layout}. ` +
        'Pass one value for each element, and for a view write to the tensor it was taken from.',
    );
  }
  if (tensor.size > 0) backendFor(tensor.device).upload(tensor, encodeValues(values, tensor.dtype));
}

/** A copy of the tensor on another device (or another reference, where it already is there). The caller disposes it. */
export async function toDevice(tensor: Tensor, device: string): Promise<Tensor> {
  const name = parseDevice(device);
  if (tensor.device === name) return tensor.clone();
  if (tensor.device === 'cpu') {
    using dense = contiguous(tensor);
    const target = emptyOn(backendFor(name), tensor.shape, tensor.dtype);
    const start = (dense.offset * dense.byteLength) / Math.max(1, dense.size);
    if (dense.size === 0) return target;
    const bytes = dense.storage.bytes.subarray(start, start + dense.byteLength);
    return filled(target, () => backendFor(name).upload(target, bytes));
  }
  return fromBytes(await readBytes(tensor), tensor.shape, { dtype: tensor.dtype, device: name });
}

/** Resolves when everything enqueued on the device has run. */
export async function synchronize(device: string): Promise<void> {
  await backendFor(parseDevice(device)).synchronize();
}
