// One tensor into pages, whatever its order of axes and the storage format of the pages.

import type { Tensor } from '@limen/tensor';

import { contiguousToPages } from '../ops/contiguous-to-pages.js';
import { encodeToPages } from '../ops/encode-to-pages.js';
import { type StoredPages, type TokenOrder, viewTokensFirst } from './token-order.js';

/**
 * Stores a contiguous cache in pages: token `s` of row `b` in page `pageTable[b, ⌊s / P⌋]`, slot `s mod P`.
 *
 * @param inputs.x - `[B, S, K, D]`, or `[B, K, S, D]` with `order: 'BKSD'`; f32 | f16 | bf16, dense along `D`, other axes
 *   at any stride
 * @param inputs.pages - elements `[G, P, K, E]` and scales, in any storage format and layout; written
 * @param inputs.pageTable - i32 `[B, M]`; tokens of a page outside `[0, G)`, or past the table, are skipped
 * @param inputs.lengths - i32 `[B]`, tokens of each row to store
 * @param options.order - axes of `x`; default `'BSKD'`
 * @throws {InvalidArgumentError} `order` is unknown
 * @throws {ShapeMismatchError} sizes disagree, or scales do not belong to the type of the elements
 * @throws {UnsupportedDTypeError} `x` is no float
 * @throws {DisposedError} a tensor was disposed
 *
 * @remarks Capture-safe. Ops: `contiguousToPages` where types agree, else `encodeToPages`.
 *
 * @example
 * toPages({ x, pages: storedPages(cache.layer(0)).keys, pageTable, lengths }, { order: 'BKSD' });
 */
export function toPages(
  inputs: {
    readonly x: Tensor;
    readonly pages: StoredPages;
    readonly pageTable: Tensor;
    readonly lengths: Tensor;
  },
  { order = 'BSKD' }: { readonly order?: TokenOrder } = {},
): void {
  const { pages, pageTable, lengths } = inputs;
  const { elements, scales } = pages;
  using x = viewTokensFirst('toPages', inputs.x, order);
  if (scales === undefined && x.dtype === elements.dtype) {
    contiguousToPages({ x, pages: elements, pageTable, lengths });
  } else {
    encodeToPages({ x, pages: elements, scales, pageTable, lengths });
  }
}
