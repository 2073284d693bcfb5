// Collects chosen pages of every layer into one dense run, so that a few large copies can take them elsewhere.

import { defineOp } from '@limen/tensor';

/**
 * Copies chosen pages out of every plane of page memory, page by page.
 *
 * `y[m, n, e] = pages[n, index[m], e]`; zeros where `index[m]` is outside `[0, G)`
 *
 * A plane is what a page number means once: keys or values of one layer, so that `N = 2 · layers`. Rows are moved bit by
 * bit, whatever they encode; reading any page memory as `u8` is fine.
 *
 * @param inputs.pages - `[N, G, E]` any type, contiguous; `E` elements a page and plane
 * @param inputs.index - `[M]` i32, page numbers from 0, in the order wanted
 * @param options.out - `[M, N, E]`, dense along `E`, other axes at any stride; default: a new tensor that the caller
 *   disposes
 * @returns `[M, N, E]`: everything that page `index[m]` holds lies together
 * @throws {ShapeMismatchError} sizes disagree
 * @throws {UnsupportedDTypeError} `index` is not i32, or `out` has another type than `pages`
 * @throws {DisposedError} an argument was disposed
 *
 * @remarks Capture-safe. No workspace. Source: https://pytorch.org/docs/stable/generated/torch.index_select.html.
 * Kernel: `gather_pages.cu`. The way back: `scatterPages`.
 */
export const gatherPages = defineOp({
  name: 'gatherPages',
  inputs: {
    pages: { shape: ['N', 'G', 'E'] },
    index: { shape: ['M'], dtype: ['i32'] },
  },
  outputs: { y: { shape: ['M', 'N', 'E'], layout: 'rows' } },
  dtypes: ['f32', 'f16', 'bf16', 'i32', 'i8', 'u8', 'f8e4m3'],
  kernel: 'gather_pages',
  source: 'https://pytorch.org/docs/stable/generated/torch.index_select.html',
  reference({ pages, index, y }) {
    const [planes = 0, count = 0, width = 0] = pages.shape;
    for (const [m, page] of index.data.entries()) {
      for (let plane = 0; plane < planes; plane++) {
        const target = (m * planes + plane) * width;
        const source = (plane * count + page) * width;
        if (page < 0 || page >= count) y.data.fill(0, target, target + width);
        else y.data.set(pages.data.subarray(source, source + width), target);
      }
    }
  },
});
