// Swaps the axes of tokens and heads: [B, H, S, D] ↔ [B, S, H, D].

import { defineOp } from '@limen/tensor';

/**
 * Copies a batch of vectors with its middle axes swapped.
 *
 * `y[b, j, i] = x[b, i, j]`; with `lengths`, zeros where the token's index is at or past `lengths[b]`
 *
 * @param inputs.x - `[B, I, J, D]` of any type, last axis contiguous, others at any stride
 * @param inputs.lengths - `[B]` i32, optional: tokens of each row that exist
 * @param options.tokenAxis - axis of `x` that counts tokens: `2` (`[B, H, S, D]`, the default) or `1` (`[B, S, H, D]`);
 *   it matters for `lengths` only
 * @param options.out - `[B, J, I, D]`, last axis contiguous, others at any stride; must not overlap `x`; default: a new
 *   contiguous tensor that the caller disposes
 * @returns `[B, J, I, D]`, type and device of `x`
 * @throws {ShapeMismatchError} sizes disagree, or `tokenAxis` is neither 1 nor 2
 * @throws {LayoutError} the last axis is not contiguous
 * @throws {DisposedError} an argument was disposed
 *
 * @remarks Capture-safe. No workspace. Reads `x` once, but not what lies past the lengths, and writes `y` once.
 * Source: https://pytorch.org/docs/stable/generated/torch.transpose.html, made dense. Kernel: `transpose_heads.cu`.
 */
export const transposeHeads = defineOp({
  name: 'transposeHeads',
  inputs: {
    x: { shape: ['B', 'I', 'J', 'D'], layout: 'rows' },
    lengths: { shape: ['B'], dtype: ['i32'], optional: true },
  },
  outputs: { y: { shape: ['B', 'J', 'I', 'D'], layout: 'rows' } },
  dtypes: ['f32', 'f16', 'bf16', 'i32', 'i8', 'u8', 'f8e4m3'],
  attributes: { tokenAxis: 2 },
  check(_sizes, { tokenAxis }) {
    if (tokenAxis === 1 || tokenAxis === 2) return undefined;
    return { argument: 'tokenAxis', expected: '1 or 2', got: String(tokenAxis) };
  },
  kernel: 'transpose_heads',
  source: 'https://pytorch.org/docs/stable/generated/torch.transpose.html',
  reference({ x, lengths, y }, { tokenAxis }) {
    const [batches = 0, first = 0, second = 0, size = 0] = x.shape;
    for (let batch = 0; batch < batches; batch++) {
      const length = lengths?.data[batch] ?? Infinity;
      for (let i = 0; i < first; i++) {
        for (let j = 0; j < second; j++) {
          const from = ((batch * first + i) * second + j) * size;
          const to = ((batch * second + j) * first + i) * size;
          if ((tokenAxis === 1 ? i : j) < length) y.data.set(x.data.subarray(from, from + size), to);
          else y.data.fill(0, to, to + size);
        }
      }
    }
  },
});
