// Attention of one new token per sequence over a paged cache.

import { defineOp } from '@limen/tensor';

/** Head sizes above this have no kernel. */
const largestHeadSize = 512;

/**
 * Lets the newest query of every sequence gather the values of the cached keys that it matches.
 *
 * `y[b, h] = Σ_s softmax_s(scale · q[b, h] · key(b, s, h / (H/K))) value(b, s, h / (H/K))` over `s < lengths[b]`, where
 * `key(b, s, ·)` is `keyPages[pageTable[b, ⌊s / P⌋], s mod P, ·]` (computes in f32)
 *
 * @param inputs.q - `[B, H, D]` f32 | f16 | bf16, last axis contiguous, others at any stride; `D` ≤ 512
 * @param inputs.keyPages - `[G, P, K, D]`, contiguous; `H` is a multiple of `K`, `H/K` query heads share a key head
 * @param inputs.valuePages - `[G, P, K, D]`, contiguous
 * @param inputs.pageTable - `[B, M]` i32, page numbers in order of position; entries past the length are not read
 * @param inputs.lengths - `[B]` i32, valid keys in tokens; they stay on the device, so one capture serves every length
 * @param options.scale - factor of the scores; dimensionless; default `0`, which stands for `1/√D`
 * @param options.out - `[B, H, D]`, contiguous; default: a new tensor that the caller disposes
 * @returns `[B, H, D]`; zeros where the length is 0
 * @throws {ShapeMismatchError} sizes disagree, `H` is not a multiple of `K`, or `D` > 512
 * @throws {UnsupportedDTypeError} a type outside the list above
 * @throws {LayoutError} strides outside the contract
 * @throws {DisposedError} an argument was disposed
 *
 * @remarks Capture-safe. Workspace: a few floats per query head and split. Sources: https://arxiv.org/abs/2309.06180
 * (pages), https://arxiv.org/abs/2311.01282 (split keys). Kernel: `attention_decode_paged.cu`.
 */
export const attentionDecodePaged = defineOp({
  name: 'attentionDecodePaged',
  inputs: {
    q: { shape: ['B', 'H', 'D'], layout: 'rows' },
    keyPages: { shape: ['G', 'P', 'K', 'D'] },
    valuePages: { shape: ['G', 'P', 'K', 'D'] },
    pageTable: { shape: ['B', 'M'], dtype: ['i32'] },
    lengths: { shape: ['B'], dtype: ['i32'] },
  },
  outputs: { y: { shape: ['B', 'H', 'D'] } },
  dtypes: ['f32', 'f16', 'bf16'],
  attributes: { scale: 0 },
  check(sizes) {
    const [heads, keyHeads, headSize] = [sizes.get('H'), sizes.get('K'), sizes.get('D')];
    if (keyHeads === 0 || heads % keyHeads !== 0) {
      return { argument: 'keyPages', expected: `a number of heads that divides ${heads}`, got: String(keyHeads) };
    }
    if (headSize > largestHeadSize) return { argument: 'q', expected: `D ≤ ${largestHeadSize}`, got: String(headSize) };
    return undefined;
  },
  kernel: 'attention_decode_paged',
  source: 'https://arxiv.org/abs/2309.06180',
  reference({ q, keyPages, valuePages, pageTable, lengths, y }, { scale }) {
    const [, heads = 0, headSize = 0] = q.shape;
    const [, pageSize = 0, keyHeads = 0] = keyPages.shape;
    const [, pagesPerSequence = 0] = pageTable.shape;
    const factor = scale === 0 ? 1 / Math.sqrt(headSize) : scale;
    for (let row = 0; row < y.data.length / headSize; row++) {
      const batch = Math.floor(row / heads);
      const keyHead = Math.floor((row % heads) / (heads / keyHeads));
      const length = Math.max(0, Math.min(lengths.data[batch] ?? 0, pagesPerSequence * pageSize));
      const startOf = (position: number) => {
        const page = pageTable.data[batch * pagesPerSequence + Math.floor(position / pageSize)] ?? 0;
        return ((page * pageSize + (position % pageSize)) * keyHeads + keyHead) * headSize;
      };
      const weights = Array.from({ length }, (_, position) => {
        let sum = 0;
        for (let d = 0; d < headSize; d++)
          sum += (q.data[row * headSize + d] ?? 0) * (keyPages.data[startOf(position) + d] ?? 0);
        return factor * sum;
      });
      const highest = weights.reduce((best, score) => Math.max(best, score), -Infinity);
      let total = 0;
      for (const [position, score] of weights.entries()) total += weights[position] = Math.exp(score - highest);
      for (let d = 0; d < headSize; d++) {
        let sum = 0;
        for (const [position, weight] of weights.entries())
          sum += weight * (valuePages.data[startOf(position) + d] ?? 0);
        y.data[row * headSize + d] = total === 0 ? 0 : sum / total;
      }
    }
  },
});
