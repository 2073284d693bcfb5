// Brings a contiguous cache into pages, as it is.

import { defineOp } from '@limen/tensor';

import { forEachToken } from '../page-slots.js';

/**
 * Copies the vectors of each token into its slot.
 *
 * `pages[pageTable[b, ⌊s / P⌋], s mod P] = x[b, s]` for `s < min(lengths[b], S)`
 *
 * Any order of axes is served by views: for `[B, K, S, D]` pass `x.transpose(1, 2)`, for `HND` pages the view
 * `[G, P, K, D]` that `PageMemory.layer()` gives. Scales of quantised pages are moved by a call of their own.
 *
 * @param inputs.x - `[B, S, K, D]` of any type, last axis contiguous, others at any stride
 * @param inputs.pages - `[G, P, K, D]`, type of `x`, last axis contiguous, others at any stride; written
 * @param inputs.pageTable - `[B, M]` i32, page numbers in order of position; tokens of a page outside `[0, G)`, or past
 *   the table, are skipped. No page may stand in it twice.
 * @param inputs.lengths - `[B]` i32, tokens of each row to copy; other slots keep what they hold
 * @throws {ShapeMismatchError} sizes disagree
 * @throws {UnsupportedDTypeError} the types of `x` and `pages` differ
 * @throws {LayoutError} a last axis is not contiguous
 * @throws {DisposedError} an argument was disposed
 *
 * @remarks Capture-safe. No workspace. Source: https://arxiv.org/abs/2309.06180. Kernel: `contiguous_to_pages.cu`.
 */
export const contiguousToPages = defineOp({
  name: 'contiguousToPages',
  inputs: {
    x: { shape: ['B', 'S', 'K', 'D'], layout: 'rows' },
    pages: { shape: ['G', 'P', 'K', 'D'], layout: 'rows', mutated: true },
    pageTable: { shape: ['B', 'M'], dtype: ['i32'] },
    lengths: { shape: ['B'], dtype: ['i32'] },
  },
  outputs: {},
  dtypes: ['f32', 'f16', 'bf16', 'i32', 'i8', 'u8', 'f8e4m3'],
  kernel: 'contiguous_to_pages',
  source: 'https://arxiv.org/abs/2309.06180',
  reference({ x, pages, pageTable, lengths }) {
    const [, tokens = 0, heads = 0, size = 0] = x.shape;
    const width = heads * size;
    forEachToken({ tokens, pages, pageTable, lengths }, (token, slot) => {
      pages.data.set(x.data.subarray(token * width, (token + 1) * width), slot * width);
    });
  },
});
