// Views of attention heads inside a fused projection: nothing is copied.

import type { Tensor } from '@limen/tensor';

/**
 * Heads `start … start+count` of a fused projection.
 *
 * @param fused - `[B, T, heads · size]`
 * @returns `[B, T, count, size]`, a view
 */
export function headView(fused: Tensor, start: number, count: number, size: number): Tensor {
  using columns = fused.slice(-1, start * size, (start + count) * size);
  return columns.unflatten(-1, count, size);
}
