// Image token ids to code vectors.

import { defineOp } from '../define-op.js';

/**
 * Looks up one code vector per id and scales it to unit length.
 *
 * `y[..., c] = codebook[id, c] / max(‖codebook[id]‖₂, 1e-12)`; an id outside `[0, V)` gives zeros.
 *
 * @param inputs.ids - `[...]` i32, image token ids
 * @param inputs.codebook - `[V, C]` f32 | f16 | bf16, contiguous; rows as stored, of any length
 * @param options.normalize - divide by the row's length; `false` copies the row; default `true`
 * @param options.out - `[..., C]`; default: a new tensor that the caller disposes
 * @returns `[..., C]`, type and device of `codebook`
 * @throws {ShapeMismatchError} `codebook` is not `[V, C]`
 * @throws {UnsupportedDTypeError} a type outside the list above
 * @throws {DisposedError} an argument was disposed
 *
 * @remarks Capture-safe. No workspace. Source: https://arxiv.org/abs/2110.04627 (ℓ₂-normalised codes). Kernel:
 * `codebook_lookup.cu`.
 */
export const codebookLookup = defineOp({
  name: 'codebookLookup',
  inputs: { ids: { shape: ['...'], dtype: ['i32'] }, codebook: { shape: ['V', 'C'] } },
  outputs: { y: { shape: ['...', 'C'] } },
  dtypes: ['f32', 'f16', 'bf16'],
  attributes: { normalize: true },
  kernel: 'codebook_lookup',
  source: 'https://arxiv.org/abs/2110.04627',
  reference({ ids, codebook, y }, { normalize }) {
    const [vocabulary = 0, channels = 0] = codebook.shape;
    for (const [row, id] of ids.data.entries()) {
      const known = id >= 0 && id < vocabulary;
      let squares = 0;
      for (let c = 0; c < channels; c++) squares += (codebook.data[id * channels + c] ?? 0) ** 2;
      const scale = normalize ? 1 / Math.max(Math.sqrt(squares), 1e-12) : 1;
      for (let c = 0; c < channels; c++) {
        y.data[row * channels + c] = known ? (codebook.data[id * channels + c] ?? 0) * scale : 0;
      }
    }
  },
});
