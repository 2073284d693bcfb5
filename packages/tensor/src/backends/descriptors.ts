// Packs the tensors of a call into the one typed array that crosses the native border.

import { bytesOf, idOf } from '../dtype.js';
import type { Tensor } from '../tensor.js';

/** Layout: see `TensorDescriptors` in @limen/cuda-kernels. `addressOf` gives the address of a storage's first byte. */
export function packDescriptors(
  tensors: readonly (Tensor | null)[],
  addressOf: (tensor: Tensor) => number,
): Float64Array {
  let length = 0;
  for (const tensor of tensors) length += 3 + 2 * (tensor?.rank ?? 0);
  const packed = new Float64Array(length);
  let at = 0;
  for (const tensor of tensors) {
    if (tensor === null) {
      at += 3;
      continue;
    }
    packed[at++] = addressOf(tensor) + tensor.offset * bytesOf(tensor.dtype);
    packed[at++] = idOf(tensor.dtype);
    packed[at++] = tensor.rank;
    for (const extent of tensor.shape) packed[at++] = extent;
    for (const stride of tensor.strides) packed[at++] = stride;
  }
  return packed;
}
