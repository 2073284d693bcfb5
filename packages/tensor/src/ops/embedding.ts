// Token ids to rows of an embedding table.

import { defineOp } from '../define-op.js';

/**
 * Looks up one row per id.
 *
 * `y[..., c] = weight[ids[...], c]`; an id outside `[0, V)` gives a row of zeros, so that padding needs no row of its own.
 *
 * @param inputs.ids - `[...]` i32, token ids
 * @param inputs.weight - `[V, C]` f32 | f16 | bf16, contiguous
 * @param options.out - `[..., C]`; default: a new tensor that the caller disposes
 * @returns `[..., C]`, type and device of `weight`; rows are copied bit by bit
 * @throws {ShapeMismatchError} `weight` is not `[V, C]`
 * @throws {UnsupportedDTypeError} a type outside the list above
 * @throws {DisposedError} an argument was disposed
 *
 * @remarks Capture-safe. No workspace. Source: https://pytorch.org/docs/stable/generated/torch.nn.Embedding.html.
 * Kernel: `embedding.cu`.
 */
export const embedding = defineOp({
  name: 'embedding',
  inputs: { ids: { shape: ['...'], dtype: ['i32'] }, weight: { shape: ['V', 'C'] } },
  outputs: { y: { shape: ['...', 'C'] } },
  dtypes: ['f32', 'f16', 'bf16'],
  kernel: 'embedding',
  source: 'https://pytorch.org/docs/stable/generated/torch.nn.Embedding.html',
  reference({ ids, weight, y }) {
    const [vocabulary = 0, channels = 0] = weight.shape;
    for (const [row, id] of ids.data.entries()) {
      const known = id >= 0 && id < vocabulary;
      for (let c = 0; c < channels; c++) y.data[row * channels + c] = known ? (weight.data[id * channels + c] ?? 0) : 0;
    }
  },
});
