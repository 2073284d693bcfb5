// Replaces chosen rows of a matrix: image features at the places of their placeholders.

import { defineOp } from '../define-op.js';

/**
 * Writes rows into a matrix at given places.
 *
 * `x[index[m], c] = rows[m, c]`; an index outside `[0, N)` is skipped; of two rows with one index either may stay.
 *
 * @param inputs.x - `[N, C]` f32 | f16 | bf16 | i32, contiguous, changed in place
 * @param inputs.rows - `[M, C]`, type and device of `x`
 * @param inputs.index - `[M]` i32, rows of `x` from 0; −1 skips a row
 * @throws {ShapeMismatchError} `rows` is not `[M, C]` or `index` is not `[M]`
 * @throws {UnsupportedDTypeError} a type outside the list above
 * @throws {DisposedError} an argument was disposed
 *
 * @remarks Capture-safe. No workspace. Source: https://pytorch.org/docs/stable/generated/torch.Tensor.index_copy_.html.
 * Kernel: `scatter_rows.cu`.
 */
export const scatterRows = defineOp({
  name: 'scatterRows',
  inputs: {
    x: { shape: ['N', 'C'], mutated: true },
    rows: { shape: ['M', 'C'] },
    index: { shape: ['M'], dtype: ['i32'] },
  },
  outputs: {},
  dtypes: ['f32', 'f16', 'bf16', 'i32'],
  kernel: 'scatter_rows',
  source: 'https://pytorch.org/docs/stable/generated/torch.Tensor.index_copy_.html',
  reference({ x, rows, index }) {
    const [count = 0, channels = 0] = x.shape;
    for (const [row, target] of index.data.entries()) {
      if (target < 0 || target >= count) continue;
      for (let c = 0; c < channels; c++) x.data[target * channels + c] = rows.data[row * channels + c] ?? 0;
    }
  },
});
