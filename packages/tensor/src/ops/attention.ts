// Scaled dot-product attention over contiguous keys: prefill and vision towers. One query over a paged cache is
// attentionDecodePaged of @limen/kv-cache.

import { defineOp } from '../define-op.js';
import { attentionReference } from './attention.reference.js';

/** Head sizes above this have no kernel. */
const largestHeadSize = 512;

/**
 * Lets every query gather the values of the keys that it matches.
 *
 * `y[b, t, h] = Σ_s softmax_s(scale · q[b, t, h] · k[b, s, h / (H/K)]) v[b, s, h / (H/K)]` (computes in f32)
 *
 * @param inputs.q - `[B, T, H, D]` f32 | f16 | bf16, last axis contiguous, others at any stride; `D` ≤ 512
 * @param inputs.k - `[B, S, K, D]`, likewise; `H` is a multiple of `K`, and `H/K` query heads share a key head
 * @param inputs.v - `[B, S, K, D]`, likewise
 * @param inputs.lengths - `[B]` i32, optional; keys at and past `lengths[b]` are masked
 * @param options.scale - factor of the scores; dimensionless; default `0`, which stands for `1/√D`
 * @param options.causal - query `t` sees keys `s ≤ t + (S − T)` only; default `false`
 * @param options.out - `[B, T, H, D]`, contiguous; default: a new tensor that the caller disposes
 * @returns `[B, T, H, D]`; zeros for a query that sees no key
 * @throws {ShapeMismatchError} sizes disagree, `H` is not a multiple of `K`, or `D` > 512
 * @throws {UnsupportedDTypeError} a type outside the list above
 * @throws {LayoutError} the last axis of an input is not contiguous
 * @throws {DisposedError} an argument was disposed
 *
 * @remarks Capture-safe. No workspace: scores stay on the chip. Tensor cores for f16 and bf16 with `D` ≤ 128.
 * Source: https://arxiv.org/abs/2205.14135. Kernel: `attention.cu`.
 */
export const attention = defineOp({
  name: 'attention',
  inputs: {
    q: { shape: ['B', 'T', 'H', 'D'], layout: 'rows' },
    k: { shape: ['B', 'S', 'K', 'D'], layout: 'rows' },
    v: { shape: ['B', 'S', 'K', 'D'], layout: 'rows' },
    lengths: { shape: ['B'], dtype: ['i32'], optional: true },
  },
  outputs: { y: { shape: ['B', 'T', 'H', 'D'] } },
  dtypes: ['f32', 'f16', 'bf16'],
  attributes: { scale: 0, causal: false },
  check(sizes) {
    const [heads, keyHeads, headSize] = [sizes.get('H'), sizes.get('K'), sizes.get('D')];
    if (keyHeads === 0 || heads % keyHeads !== 0) {
      return { argument: 'k', expected: `a number of heads that divides ${heads}`, got: String(keyHeads) };
    }
    if (headSize > largestHeadSize) return { argument: 'q', expected: `D ≤ ${largestHeadSize}`, got: String(headSize) };
    return undefined;
  },
  kernel: 'attention',
  source: 'https://arxiv.org/abs/2205.14135',
  reference: attentionReference,
});
