// Sequences out of pages into one tensor, whatever the storage format and the order of axes wanted.

import { empty, type Tensor } from '@limen/tensor';

import { decodeFromPages } from '../ops/decode-from-pages.js';
import { pagesToContiguous } from '../ops/pages-to-contiguous.js';
import { type StoredPages, type TokenOrder, viewTokensFirst } from './token-order.js';

/** Types that a contiguous cache may have. */
export type ContiguousDType = 'f32' | 'f16' | 'bf16';

/** How a contiguous cache shall look. */
export interface ContiguousOptions {
  /** Axes of the result; default `'BSKD'`. */
  readonly order?: TokenOrder;
  /** Default: the type of the pages where they are floats, else `'f32'`. */
  readonly dtype?: ContiguousDType;
  /** `S`; default: as many as the page table has room for. */
  readonly tokens?: number;
}

/**
 * Gathers sequences from pages into a contiguous tensor: zeros past each length.
 *
 * @param inputs.pages - elements `[G, P, K, E]` and scales, in any storage format and layout
 * @param inputs.pageTable - i32 `[B, M]`; tokens of a page outside `[0, G)`, or past the table, become zeros
 * @param inputs.lengths - i32 `[B]`, tokens of each sequence
 * @param options.order - axes of the result; default `'BSKD'`
 * @param options.dtype - type of the result; default: that of the pages where they are floats, else `f32`
 * @param options.tokens - `S`; default `M · P`
 * @param options.out - in the order asked for, dense along `D`; default: a new contiguous tensor that the caller disposes
 * @returns `[B, S, K, D]`, or `[B, K, S, D]` with `order: 'BKSD'`
 * @throws {InvalidArgumentError} `order` is unknown
 * @throws {ShapeMismatchError} sizes disagree, `out` does not fit, or scales do not belong to the type of the elements
 * @throws {DisposedError} a tensor was disposed
 *
 * @remarks Capture-safe. Ops: `pagesToContiguous` where types agree, else `decodeFromPages`.
 */
export function fromPages(
  inputs: { readonly pages: StoredPages; readonly pageTable: Tensor; readonly lengths: Tensor },
  { order = 'BSKD', dtype, tokens, out }: ContiguousOptions & { readonly out?: Tensor } = {},
): Tensor {
  const { pages, pageTable, lengths } = inputs;
  const { elements, scales } = pages;
  const wanted = (dtype ?? (scales === undefined ? elements.dtype : 'f32')) as ContiguousDType;
  const count = tokens ?? pageTable.extent(1) * elements.extent(1);
  const [heads, headSize] = [elements.extent(2), elements.extent(3) * (elements.dtype === 'u8' ? 2 : 1)];
  const shape = order === 'BSKD' ? [count, heads] : [heads, count];
  const y = out ?? empty([pageTable.extent(0), ...shape, headSize], { dtype: wanted, device: elements.device });
  try {
    using view = viewTokensFirst('fromPages', y, order);
    if (scales === undefined && wanted === elements.dtype) {
      pagesToContiguous({ pages: elements, pageTable, lengths }, { tokens: count, out: view });
    } else {
      decodeFromPages({ pages: elements, scales, pageTable, lengths }, { dtype: wanted, tokens: count, out: view });
    }
    return y;
  } catch (error) {
    if (out === undefined) y.dispose();
    throw error;
  }
}
