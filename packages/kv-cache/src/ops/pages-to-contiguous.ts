// Takes the vectors of sequences out of pages, as they are.

import { defineOp } from '@limen/tensor';

import { forEachToken } from '../page-slots.js';

/**
 * Gathers the tokens of each sequence into a row of a contiguous tensor.
 *
 * `y[b, s] = pages[pageTable[b, ⌊s / P⌋], s mod P]` for `s < lengths[b]`, zeros elsewhere
 *
 * @param inputs.pages - `[G, P, K, D]` of any type, last axis contiguous, others at any stride (`NHD` or `HND` memory)
 * @param inputs.pageTable - `[B, M]` i32, page numbers in order of position; tokens of a page outside `[0, G)`, or past
 *   the table, become zeros
 * @param inputs.lengths - `[B]` i32, tokens of each sequence
 * @param options.tokens - `S`; default `0`, which stands for `M · P`
 * @param options.out - `[B, S, K, D]`, last axis contiguous, others at any stride: pass `y.transpose(1, 2)` to fill a
 *   `y` of `[B, K, S, D]`; default: a new contiguous tensor that the caller disposes
 * @returns `[B, S, K, D]`, type and device of `pages`
 * @throws {ShapeMismatchError} sizes disagree, or `tokens` is no whole number
 * @throws {LayoutError} a last axis is not contiguous
 * @throws {DisposedError} an argument was disposed
 *
 * @remarks Capture-safe. No workspace. Source: https://arxiv.org/abs/2309.06180. Kernel: `pages_to_contiguous.cu`.
 */
export const pagesToContiguous = defineOp({
  name: 'pagesToContiguous',
  inputs: {
    pages: { shape: ['G', 'P', 'K', 'D'], layout: 'rows' },
    pageTable: { shape: ['B', 'M'], dtype: ['i32'] },
    lengths: { shape: ['B'], dtype: ['i32'] },
  },
  outputs: {
    y: {
      shape: (sizes, { tokens }) => [
        sizes.get('B'),
        Number(tokens) || sizes.get('M') * sizes.get('P'),
        sizes.get('K'),
        sizes.get('D'),
      ],
      layout: 'rows',
    },
  },
  dtypes: ['f32', 'f16', 'bf16', 'i32', 'i8', 'u8', 'f8e4m3'],
  attributes: { tokens: 0 },
  check: (_sizes, { tokens }) =>
    Number.isInteger(tokens) && Number(tokens) >= 0
      ? undefined
      : { argument: 'tokens', expected: 'a whole number of 0 or more', got: String(tokens) },
  kernel: 'pages_to_contiguous',
  source: 'https://arxiv.org/abs/2309.06180',
  reference({ pages, pageTable, lengths, y }) {
    const [, tokens = 0, heads = 0, size = 0] = y.shape;
    const width = heads * size;
    y.data.fill(0);
    forEachToken({ tokens, pages, pageTable, lengths }, (token, slot) => {
      y.data.set(pages.data.subarray(slot * width, (slot + 1) * width), token * width);
    });
  },
});
