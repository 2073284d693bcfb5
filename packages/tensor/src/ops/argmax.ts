// Index of the greatest element of each row.

import { defineOp } from '../define-op.js';
import type { ContractProblem, Sizes } from '../op-declaration.js';

function checkColumns(sizes: Sizes): ContractProblem | undefined {
  if (sizes.get('V') > 0) return undefined;
  return { argument: 'x', expected: 'at least one element per row', got: 'none' };
}

/**
 * Finds the greatest element of each row.
 *
 * `ids[...] = argmax_v x[..., v]`; of equal elements the one with the lowest index; NaN never wins; a row of only NaN
 * gives 0.
 *
 * @param inputs.x - `[..., V]` f32 | f16 | bf16, contiguous; `V` at least 1
 * @param options.out - `[...]` i32; default: a new tensor that the caller disposes
 * @returns `[...]` i32, on the device of `x`
 * @throws {ShapeMismatchError} rows are empty
 * @throws {UnsupportedDTypeError} a type outside the list above
 * @throws {DisposedError} an argument was disposed
 *
 * @remarks Capture-safe. Workspace: at most 2 KiB, or 8 bytes per row and 4096 columns. Deterministic. Source:
 * https://numpy.org/doc/stable/reference/generated/numpy.nanargmax.html. Kernel: `argmax.cu`.
 */
export const argmax = defineOp({
  name: 'argmax',
  inputs: { x: { shape: ['...', 'V'] } },
  outputs: { ids: { shape: ['...'], dtype: 'i32' } },
  dtypes: ['f32', 'f16', 'bf16'],
  check: checkColumns,
  kernel: 'argmax',
  source: 'https://numpy.org/doc/stable/reference/generated/numpy.nanargmax.html',
  reference({ x, ids }) {
    const columns = x.shape.at(-1) ?? 1;
    for (let row = 0; row < ids.data.length; row++) {
      let best = -1;
      for (let index = row * columns; index < (row + 1) * columns; index++) {
        const value = x.data[index] ?? NaN;
        if (Number.isNaN(value)) continue;
        if (best < 0 || value > (x.data[best] ?? NaN)) best = index;
      }
      ids.data[row] = best < 0 ? 0 : best - row * columns;
    }
  },
});
