// Writes new keys and values into the pages of a cache.

import { defineOp } from '@limen/tensor';

/**
 * Stores the keys and values of new tokens at their positions.
 *
 * `keyPages[page, slot] = k[b, t]` and `valuePages[page, slot] = v[b, t]` with `p = positions[b, t]`,
 * `page = pageTable[b, ⌊p / P⌋]`, `slot = p mod P`
 *
 * @param inputs.k - `[B, T, K, D]` f32 | f16 | bf16, last axis contiguous, others at any stride
 * @param inputs.v - `[B, T, K, D]`, likewise
 * @param inputs.keyPages - `[G, P, K, D]`, contiguous; written
 * @param inputs.valuePages - `[G, P, K, D]`, contiguous; written
 * @param inputs.pageTable - `[B, M]` i32, page numbers in order of position
 * @param inputs.positions - `[B, T]` i32, tokens from the start of the sequence; a negative position skips the token,
 *   as do a position past `M · P` and a page outside `[0, G)`. No two tokens may share a slot.
 * @throws {ShapeMismatchError} sizes disagree
 * @throws {UnsupportedDTypeError} a type outside the list above
 * @throws {LayoutError} strides outside the contract
 * @throws {DisposedError} an argument was disposed
 *
 * @remarks Capture-safe. No workspace. Source: https://arxiv.org/abs/2309.06180. Kernel: `kv_append.cu`.
 */
export const kvAppend = defineOp({
  name: 'kvAppend',
  inputs: {
    k: { shape: ['B', 'T', 'K', 'D'], layout: 'rows' },
    v: { shape: ['B', 'T', 'K', 'D'], layout: 'rows' },
    keyPages: { shape: ['G', 'P', 'K', 'D'], mutated: true },
    valuePages: { shape: ['G', 'P', 'K', 'D'], mutated: true },
    pageTable: { shape: ['B', 'M'], dtype: ['i32'] },
    positions: { shape: ['B', 'T'], dtype: ['i32'] },
  },
  outputs: {},
  dtypes: ['f32', 'f16', 'bf16'],
  kernel: 'kv_append',
  source: 'https://arxiv.org/abs/2309.06180',
  reference({ k, v, keyPages, valuePages, pageTable, positions }) {
    const [pages = 0, pageSize = 0, heads = 0, headSize = 0] = keyPages.shape;
    const [, tokens = 0] = positions.shape;
    const [, pagesPerSequence = 0] = pageTable.shape;
    const width = heads * headSize;
    for (const [token, position] of positions.data.entries()) {
      const place = Math.floor(position / pageSize);
      if (position < 0 || place >= pagesPerSequence) continue;
      const page = pageTable.data[Math.floor(token / tokens) * pagesPerSequence + place] ?? -1;
      if (page < 0 || page >= pages) continue;
      const target = (page * pageSize + (position % pageSize)) * width;
      keyPages.data.set(k.data.subarray(token * width, (token + 1) * width), target);
      valuePages.data.set(v.data.subarray(token * width, (token + 1) * width), target);
    }
  },
});
