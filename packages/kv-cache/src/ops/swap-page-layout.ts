// Turns page memory from NHD into HND order, or back, into new memory.

import { defineOp } from '@limen/tensor';

/**
 * Copies page memory with the axes of slots and heads swapped.
 *
 * `y[.., m, n] = x[.., n, m]`: with `N = P`, `M = K` from `NHD` to `HND`, with `N = K`, `M = P` back
 *
 * @param inputs.x - `[.., N, M, E]` of any type, contiguous: elements or scales as `PageMemory.parts` holds them
 * @param options.out - `[.., M, N, E]`, contiguous; must not overlap `x` (in place: {@link swapPageLayoutInPlace});
 *   default: a new tensor that the caller disposes
 * @returns `[.., M, N, E]`, type and device of `x`
 * @throws {ShapeMismatchError} `out` has another shape or type
 * @throws {LayoutError} `x` has gaps
 * @throws {DisposedError} an argument was disposed
 *
 * @remarks Capture-safe. No workspace. Source: https://docs.flashinfer.ai/tutorials/kv_layout.html.
 * Kernel: `swap_page_layout.cu`.
 */
export const swapPageLayout = defineOp({
  name: 'swapPageLayout',
  inputs: { x: { shape: ['...', 'N', 'M', 'E'] } },
  outputs: { y: { shape: ['...', 'M', 'N', 'E'] } },
  dtypes: ['f32', 'f16', 'bf16', 'i32', 'i8', 'u8', 'f8e4m3'],
  kernel: 'swap_page_layout',
  source: 'https://docs.flashinfer.ai/tutorials/kv_layout.html',
  reference({ x, y }) {
    const [first = 0, second = 0, size = 0] = x.shape.slice(-3);
    for (let vector = 0; vector * size < x.data.length; vector++) {
      const [page, inner] = [Math.floor(vector / (first * second)), vector % (first * second)];
      const [n, m] = [Math.floor(inner / second), inner % second];
      const target = (page * first * second + m * first + n) * size;
      y.data.set(x.data.subarray(vector * size, (vector + 1) * size), target);
    }
  },
});
