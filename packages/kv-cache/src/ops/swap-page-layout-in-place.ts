// Turns page memory from NHD into HND order, or back, in the same memory.

import { defineOp } from '@limen/tensor';

/**
 * Swaps the axes of slots and heads of every page where it lies.
 *
 * Memory that held `[.., N, M, E]` holds `[.., M, N, E]` afterwards; the tensor keeps its shape, so look at it through
 * `pages.reshape(.., M, N, E)` from then on
 *
 * @param inputs.pages - `[.., N, M, E]` of any type, contiguous; written
 * @throws {LayoutError} `pages` has gaps
 * @throws {ShapeMismatchError} on CUDA: `N · M` is above the bytes of shared memory of the device (227 KiB on an H200)
 * @throws {DisposedError} an argument was disposed
 *
 * @remarks Capture-safe. No workspace: a piece of a page at a time waits in shared memory.
 * Source: https://docs.flashinfer.ai/tutorials/kv_layout.html. Kernel: `swap_page_layout_in_place.cu`.
 */
export const swapPageLayoutInPlace = defineOp({
  name: 'swapPageLayoutInPlace',
  inputs: { pages: { shape: ['...', 'N', 'M', 'E'], mutated: true } },
  outputs: {},
  dtypes: ['f32', 'f16', 'bf16', 'i32', 'i8', 'u8', 'f8e4m3'],
  kernel: 'swap_page_layout_in_place',
  source: 'https://docs.flashinfer.ai/tutorials/kv_layout.html',
  reference({ pages }) {
    const [first = 0, second = 0, size = 0] = pages.shape.slice(-3);
    const before = pages.data.slice();
    for (let vector = 0; vector * size < before.length; vector++) {
      const [page, inner] = [Math.floor(vector / (first * second)), vector % (first * second)];
      const [n, m] = [Math.floor(inner / second), inner % second];
      const target = (page * first * second + m * first + n) * size;
      pages.data.set(before.subarray(vector * size, (vector + 1) * size), target);
    }
  },
});
