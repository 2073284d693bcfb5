// Elementwise sum.

import { defineOp } from '../define-op.js';

/**
 * Adds two tensors; the second repeats over the leading axes of the first.
 *
 * `y[..., s] = a[..., s] + b[s]`, where `s` runs over the axes of `b` (in f32, rounded once)
 *
 * @param inputs.a - any shape, f32 | f16 | bf16, contiguous
 * @param inputs.b - the last axes of `a`: all of them, some (a bias, a position embedding) or none (one number); type and
 *   device of `a`
 * @param options.out - shape of `a`; may be `a` itself; default: a new tensor that the caller disposes
 * @returns shape, type and device of `a`
 * @throws {ShapeMismatchError} `b` is not the last axes of `a`
 * @throws {UnsupportedDTypeError} a type outside the list above
 * @throws {DisposedError} an argument was disposed
 *
 * @remarks Capture-safe. No workspace. Source: https://numpy.org/doc/stable/user/basics.broadcasting.html. Kernel: `add.cu`.
 */
export const add = defineOp({
  name: 'add',
  inputs: { a: { shape: ['...'] }, b: { shape: ['...'], suffixOf: 'a' } },
  outputs: { y: { shape: ['...'], mayAlias: 'a' } },
  dtypes: ['f32', 'f16', 'bf16'],
  kernel: 'add',
  source: 'https://numpy.org/doc/stable/user/basics.broadcasting.html',
  reference({ a, b, y }) {
    for (const [index, value] of a.data.entries()) y.data[index] = value + (b.data[index % b.data.length] ?? 0);
  },
});
