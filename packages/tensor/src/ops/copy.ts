// Copies elements between layouts: makes strided views dense, and fills slices of a larger tensor (concatenation).

import { defineOp } from '../define-op.js';

/**
 * Copies a tensor element by element.
 *
 * @param inputs.x - any shape, type and strides
 * @param options.out - the same shape and type, any strides; must not overlap `x`; default: a new contiguous tensor
 * @returns the copy
 * @throws {ShapeMismatchError} `out` has another shape or type
 *
 * @remarks Capture-safe. No workspace. Source: strided copy as in NumPy's `copyto`. Kernel: `copy.cu`.
 */
export const copy = defineOp({
  name: 'copy',
  inputs: { x: { shape: ['...'], layout: 'strided' } },
  outputs: { y: { shape: ['...'], layout: 'strided' } },
  dtypes: ['f32', 'f16', 'bf16', 'i32', 'i8', 'u8', 'f8e4m3'],
  kernel: 'copy',
  source: 'https://numpy.org/doc/stable/reference/generated/numpy.copyto.html',
  reference({ x, y }) {
    y.data.set(x.data);
  },
});
