// Puts pages that gatherPages collected back into page memory, perhaps under other numbers.

import { defineOp } from '@limen/tensor';

/**
 * Writes whole pages into every plane of page memory.
 *
 * `pages[n, index[m], e] = rows[m, n, e]`; an index outside `[0, G)` is skipped; of two rows with one index either may
 * stay
 *
 * @param inputs.pages - `[N, G, E]` any type, contiguous; changed in place. `N = 2 · layers` planes
 * @param inputs.index - `[M]` i32, page numbers from 0
 * @param inputs.rows - `[M, N, E]`, type of `pages`, dense along `E`, other axes at any stride
 * @throws {ShapeMismatchError} sizes disagree
 * @throws {UnsupportedDTypeError} `index` is not i32, or `rows` has another type than `pages`
 * @throws {LayoutError} strides outside the contract
 * @throws {DisposedError} an argument was disposed
 *
 * @remarks Capture-safe. No workspace. Source: https://pytorch.org/docs/stable/generated/torch.Tensor.index_copy_.html.
 * Kernel: `scatter_pages.cu`.
 */
export const scatterPages = defineOp({
  name: 'scatterPages',
  inputs: {
    pages: { shape: ['N', 'G', 'E'], mutated: true },
    index: { shape: ['M'], dtype: ['i32'] },
    rows: { shape: ['M', 'N', 'E'], layout: 'rows' },
  },
  outputs: {},
  dtypes: ['f32', 'f16', 'bf16', 'i32', 'i8', 'u8', 'f8e4m3'],
  kernel: 'scatter_pages',
  source: 'https://pytorch.org/docs/stable/generated/torch.Tensor.index_copy_.html',
  reference({ pages, index, rows }) {
    const [planes = 0, count = 0, width = 0] = pages.shape;
    for (const [m, page] of index.data.entries()) {
      if (page < 0 || page >= count) continue;
      for (let plane = 0; plane < planes; plane++) {
        const source = (m * planes + plane) * width;
        pages.data.set(rows.data.subarray(source, source + width), (plane * count + page) * width);
      }
    }
  },
});
