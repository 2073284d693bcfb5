// The two orders in which contiguous caches keep their axes, and the views between them.

import { InvalidArgumentError, type Tensor } from '@limen/tensor';

import type { LayerPages } from '../page-memory.js';

/** Axes of a contiguous cache: tokens before heads (`BSKD`), or heads before tokens (`BKSD`). */
export type TokenOrder = 'BSKD' | 'BKSD';

/** Elements of stored vectors in pages, and the scales of formats that have them. */
export interface StoredPages {
  /** `[G, P, K, E]` in any layout */
  readonly elements: Tensor;
  /** `[G, P, K, S]`; for fp8, int8 and int4 */
  readonly scales?: Tensor | undefined;
}

/** The two kinds of pages of a layer. They stay the layer's: do not dispose them. */
export function storedPages({ keys, values, keyScales, valueScales }: LayerPages): {
  readonly keys: StoredPages;
  readonly values: StoredPages;
} {
  return { keys: { elements: keys, scales: keyScales }, values: { elements: values, scales: valueScales } };
}

/** A view of `x` as `[B, S, K, D]`; the caller disposes it. */
export function viewTokensFirst(caller: string, x: Tensor, order: TokenOrder): Tensor {
  if (order === 'BSKD') return x.clone();
  if (order === 'BKSD') return x.transpose(1, 2);
  throw new InvalidArgumentError(
    `${caller}: order is unknown: expected BSKD | BKSD, got ${String(order)}. Name the axes of the contiguous side.`,
    { caller, argument: 'order' },
  );
}
