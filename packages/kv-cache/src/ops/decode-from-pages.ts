// Takes the vectors of sequences out of pages of any storage format, as floats.

import { choice, defineOp, type DType } from '@limen/tensor';

import { forEachToken } from '../page-slots.js';
import { checkStored, readVector } from '../stored-vectors.js';

/**
 * Gathers the tokens of each sequence into a row of a contiguous tensor of floats.
 *
 * `y[b, s, k] = decode(pages[pageTable[b, ⌊s / P⌋], s mod P, k])` for `s < lengths[b]`, zeros elsewhere; `decode` as in
 * `storage-arithmetic.ts` (computes in f32)
 *
 * @param inputs.pages - `[G, P, K, E]` f32 | f16 | bf16 | f8e4m3 (fp8) | i8 (int8) | u8 (int4); last axis contiguous,
 *   others at any stride
 * @param inputs.scales - fp8, int8: f32 `[G, P, K, 1]`; int4: f16 `[G, P, K, 2]` (scale, lowest); floats: none
 * @param inputs.pageTable - `[B, M]` i32, page numbers in order of position; tokens of a page outside `[0, G)`, or past
 *   the table, become zeros
 * @param inputs.lengths - `[B]` i32, tokens of each sequence
 * @param options.dtype - type of the result: `f32` (default) | `f16` | `bf16`
 * @param options.tokens - `S`; default `0`, which stands for `M · P`
 * @param options.out - `[B, S, K, D]`, last axis contiguous, others at any stride; default: a new contiguous tensor
 *   that the caller disposes
 * @returns `[B, S, K, D]` with `D = E`, for int4 `2 E`
 * @throws {ShapeMismatchError} sizes disagree, scales do not belong to the type of `pages`, or `tokens` is no whole number
 * @throws {UnsupportedDTypeError} a type outside the lists above
 * @throws {LayoutError} a last axis is not contiguous
 * @throws {DisposedError} an argument was disposed
 *
 * @remarks Capture-safe. No workspace. Source: https://arxiv.org/abs/2402.02750 (scales for each token).
 * Kernel: `decode_from_pages.cu`.
 */
export const decodeFromPages = defineOp({
  name: 'decodeFromPages',
  inputs: {
    pages: { shape: ['G', 'P', 'K', 'E'], layout: 'rows' },
    scales: { shape: ['G', 'P', 'K', 'C'], dtype: ['f32', 'f16'], layout: 'rows', optional: true },
    pageTable: { shape: ['B', 'M'], dtype: ['i32'] },
    lengths: { shape: ['B'], dtype: ['i32'] },
  },
  outputs: {
    y: {
      shape: (sizes, { tokens }) => [
        sizes.get('B'),
        Number(tokens) || sizes.get('M') * sizes.get('P'),
        sizes.get('K'),
        sizes.get('E') * (sizes.dtypeOf('pages') === 'u8' ? 2 : 1),
      ],
      dtype: ({ dtype }) => dtype as DType,
      layout: 'rows',
    },
  },
  dtypes: ['f32', 'f16', 'bf16', 'f8e4m3', 'i8', 'u8'],
  attributes: { dtype: choice('f32', 'f16', 'bf16'), tokens: 0 },
  check(sizes, { tokens }) {
    if (!Number.isInteger(tokens) || Number(tokens) < 0) {
      return { argument: 'tokens', expected: 'a whole number of 0 or more', got: String(tokens) };
    }
    return checkStored(sizes, { elements: 'pages', scales: 'scales', width: 'E', scaleCount: 'C' });
  },
  kernel: 'decode_from_pages',
  source: 'https://arxiv.org/abs/2402.02750',
  reference({ pages, scales, pageTable, lengths, y }) {
    const [, tokens = 0, heads = 0, size = 0] = y.shape;
    y.data.fill(0);
    forEachToken({ tokens, pages, pageTable, lengths }, (token, slot) => {
      for (let head = 0; head < heads; head++) {
        const at = (token * heads + head) * size;
        readVector({ elements: pages, scales }, slot * heads + head, y.data.subarray(at, at + size));
      }
    });
  },
});
