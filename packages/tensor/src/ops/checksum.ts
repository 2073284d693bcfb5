// One number that stands for the bits of a tensor: compares large buffers without copying them out.

import { defineOp } from '../define-op.js';

/** Byte values in order of address, as 32-bit words of little-endian order. */
function xorOfWords(bytes: Uint8Array): number {
  let sum = 0;
  for (const [index, byte] of bytes.entries()) sum ^= byte << (8 * (index % 4));
  return sum;
}

/**
 * The exclusive or of all 32-bit words of a tensor's memory.
 *
 * `y = w₀ ⊕ w₁ ⊕ …`, where `wᵢ` are its bytes four at a time, the last word filled up with zero bytes. It does not tell
 * words that changed places; for the bits of floats, look at them as integers first: `using words = x.viewAs('i32')`.
 *
 * @param inputs.x - `[...]` i32 | i8 | u8, contiguous
 * @param options.out - i32 `[1]`; default: a new tensor that the caller disposes
 * @returns i32 `[1]`; 0 for an empty tensor
 * @throws {UnsupportedDTypeError} a type outside the list above
 * @throws {LayoutError} `x` has gaps
 * @throws {DisposedError} an argument was disposed
 *
 * @remarks Capture-safe. No workspace. Reads `x` once, at the speed of the memory.
 * Source: https://en.wikipedia.org/wiki/Longitudinal_redundancy_check. Kernel: `checksum.cu`.
 */
export const checksum = defineOp({
  name: 'checksum',
  inputs: { x: { shape: ['...'] } },
  outputs: { y: { shape: [1], dtype: 'i32' } },
  dtypes: ['i32', 'i8', 'u8'],
  kernel: 'checksum',
  source: 'https://en.wikipedia.org/wiki/Longitudinal_redundancy_check',
  reference({ x, y }) {
    y.data[0] = xorOfWords(new Uint8Array(x.data.buffer, x.data.byteOffset, x.data.byteLength));
  },
});
