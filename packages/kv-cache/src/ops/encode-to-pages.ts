// Brings a contiguous cache of floats into pages of any storage format.

import { defineOp } from '@limen/tensor';

import { forEachToken } from '../page-slots.js';
import { checkStored, writeVector } from '../stored-vectors.js';

/**
 * Stores the vectors of each token in its slot, in the storage format of the pages.
 *
 * `pages[pageTable[b, ⌊s / P⌋], s mod P, k] = encode(x[b, s, k])` for `s < min(lengths[b], S)`; `encode` as in
 * `storage-arithmetic.ts` (computes in f32)
 *
 * @param inputs.x - `[B, S, K, D]` f32 | f16 | bf16, finite, last axis contiguous, others at any stride
 * @param inputs.pages - `[G, P, K, E]` f32 | f16 | bf16 | f8e4m3 (fp8) | i8 (int8) with `E = D`, or u8 (int4) with
 *   `E = D / 2`; last axis contiguous, others at any stride; written
 * @param inputs.scales - fp8, int8: f32 `[G, P, K, 1]`; int4: f16 `[G, P, K, 2]` (scale, lowest); floats: none. Written
 * @param inputs.pageTable - `[B, M]` i32, page numbers in order of position; tokens of a page outside `[0, G)`, or past
 *   the table, are skipped. No page may stand in it twice.
 * @param inputs.lengths - `[B]` i32, tokens of each row to store; other slots keep what they hold
 * @throws {ShapeMismatchError} sizes disagree, or scales do not belong to the type of `pages`
 * @throws {UnsupportedDTypeError} a type outside the lists above
 * @throws {LayoutError} a last axis is not contiguous
 * @throws {DisposedError} an argument was disposed
 *
 * @remarks Capture-safe. No workspace. Source: https://arxiv.org/abs/2402.02750 (scales for each token).
 * Kernel: `encode_to_pages.cu`.
 */
export const encodeToPages = defineOp({
  name: 'encodeToPages',
  inputs: {
    x: { shape: ['B', 'S', 'K', 'D'], layout: 'rows' },
    pages: {
      shape: ['G', 'P', 'K', 'E'],
      dtype: ['i8', 'f8e4m3', 'u8', 'f32', 'f16', 'bf16'],
      layout: 'rows',
      mutated: true,
    },
    scales: { shape: ['G', 'P', 'K', 'C'], dtype: ['f32', 'f16'], layout: 'rows', mutated: true, optional: true },
    pageTable: { shape: ['B', 'M'], dtype: ['i32'] },
    lengths: { shape: ['B'], dtype: ['i32'] },
  },
  outputs: {},
  dtypes: ['f32', 'f16', 'bf16'],
  check: (sizes) =>
    checkStored(sizes, {
      elements: 'pages',
      scales: 'scales',
      width: 'E',
      scaleCount: 'C',
      headSize: sizes.get('D'),
    }),
  kernel: 'encode_to_pages',
  source: 'https://arxiv.org/abs/2402.02750',
  reference({ x, pages, scales, pageTable, lengths }) {
    const [, tokens = 0, heads = 0, size = 0] = x.shape;
    forEachToken({ tokens, pages, pageTable, lengths }, (token, slot) => {
      for (let head = 0; head < heads; head++) {
        const at = (token * heads + head) * size;
        writeVector({ elements: pages, scales }, slot * heads + head, x.data.subarray(at, at + size));
      }
    });
  },
});
