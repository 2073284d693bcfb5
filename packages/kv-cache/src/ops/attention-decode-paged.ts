// Attention of one new token per sequence over a paged cache.

import { defineOp } from '@limen/tensor';

import { attendDecode, checkDecode } from '../decode-reference.js';
import { readVector } from '../stored-vectors.js';

/**
 * Lets the newest query of every sequence gather the values of the cached keys that it matches.
 *
 * `y[b, h] = Σ_s softmax_s(scale · q[b, h] · key(b, s, h / (H/K))) value(b, s, h / (H/K))` over the keys `s < lengths[b]`
 * that it sees, where `key(b, s, ·)` is `keyPages[pageTable[b, ⌊s / P⌋], s mod P, ·]` (computes in f32)
 *
 * @param inputs.q - `[B, H, D]` f32 | f16 | bf16, last axis contiguous, others at any stride; `D` ≤ 512
 * @param inputs.keyPages - `[G, P, K, D]`, last axis contiguous, others at any stride, so that pages may be NHD or HND;
 *   `H` is a multiple of `K`, `H/K` query heads share a key head
 * @param inputs.valuePages - `[G, P, K, D]`, likewise
 * @param inputs.pageTable - `[B, M]` i32, page numbers in order of position; entries of unseen keys are not read
 * @param inputs.lengths - `[B]` i32, valid keys in tokens; they stay on the device, so one capture serves every length
 * @param inputs.prefixLengths - `[N]` i32, where `N` divides `B`: each `B/N` consecutive sequences hold their first
 *   `prefixLengths[n]` keys in the same pages, which are then read once for all of them; default: nothing is shared.
 *   Results are the same with and without
 * @param options.scale - factor of the scores; dimensionless; default `0`, which stands for `1/√D`
 * @param options.window - newest keys that are seen, in tokens; default `0`, which stands for all
 * @param options.sinks - first keys that are seen beside the window, in tokens; default 0
 * @param options.out - `[B, H, D]`, contiguous; default: a new tensor that the caller disposes
 * @returns `[B, H, D]`; zeros where the length is 0
 * @throws {ShapeMismatchError} sizes disagree, `H` is not a multiple of `K`, `D` > 512, `N` does not divide `B`, or the
 *   window is no count
 * @throws {UnsupportedDTypeError} a type outside the list above
 * @throws {LayoutError} strides outside the contract
 * @throws {DisposedError} an argument was disposed
 *
 * @remarks Capture-safe. Workspace: none, or a few floats per query head and split. Sources:
 * https://arxiv.org/abs/2309.06180 (pages), https://arxiv.org/abs/2311.01282 (split keys),
 * https://arxiv.org/abs/2309.17453 (sinks), https://arxiv.org/abs/2402.05099 (shared prefixes). Kernel:
 * `attention_decode_paged.cu`.
 */
export const attentionDecodePaged = defineOp({
  name: 'attentionDecodePaged',
  inputs: {
    q: { shape: ['B', 'H', 'D'], layout: 'rows' },
    keyPages: { shape: ['G', 'P', 'K', 'D'], layout: 'rows' },
    valuePages: { shape: ['G', 'P', 'K', 'D'], layout: 'rows' },
    pageTable: { shape: ['B', 'M'], dtype: ['i32'] },
    lengths: { shape: ['B'], dtype: ['i32'] },
    prefixLengths: { shape: ['N'], dtype: ['i32'], optional: true },
  },
  outputs: { y: { shape: ['B', 'H', 'D'] } },
  dtypes: ['f32', 'f16', 'bf16'],
  attributes: { scale: 0, window: 0, sinks: 0 },
  check: checkDecode,
  kernel: 'attention_decode_paged',
  source: 'https://arxiv.org/abs/2309.06180',
  reference({ q, keyPages, valuePages, pageTable, lengths, y }, attributes) {
    const [, pageSize = 0, keyHeads = 0] = keyPages.shape;
    const reader = (elements: typeof keyPages) => (page: number, slot: number, head: number, target: Float32Array) =>
      readVector({ elements, scales: undefined }, (page * pageSize + slot) * keyHeads + head, target);
    const sizes = { pageSize, keyHeads };
    attendDecode({ q, pageTable, lengths, y }, sizes, attributes, reader(keyPages), reader(valuePages));
  },
});
