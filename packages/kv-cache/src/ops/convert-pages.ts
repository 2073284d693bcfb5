// Turns the pages of one pool into the storage format of another.

import { defineOp } from '@limen/tensor';

import { checkStored, headSizeOf, readVector, writeVector } from '../stored-vectors.js';

/**
 * Stores every vector of a pool in the format of another pool, page by page.
 *
 * `pages[g, p, k] = encode(decode(source[g, p, k]))`, as in `storage-arithmetic.ts` (through f32); between equal formats
 * the bits are copied. Strides may differ, so the layout can change on the way.
 *
 * @param inputs.source - `[G, P, K, E]` f32 | f16 | bf16 | f8e4m3 (fp8) | i8 (int8) | u8 (int4, `E = D / 2`), finite;
 *   last axis contiguous, others at any stride
 * @param inputs.sourceScales - fp8, int8: f32 `[G, P, K, 1]`; int4: f16 `[G, P, K, 2]` (scale, lowest); floats: none
 * @param inputs.pages - `[G, P, K, E′]`, likewise; written; must not overlap `source`
 * @param inputs.scales - scales of `pages`, likewise; written
 * @throws {ShapeMismatchError} sizes disagree, or scales do not belong to a type
 * @throws {UnsupportedDTypeError} a type outside the lists above
 * @throws {LayoutError} a last axis is not contiguous
 * @throws {DisposedError} an argument was disposed
 *
 * @remarks Capture-safe. No workspace. Source: https://arxiv.org/abs/2402.02750 (scales for each token).
 * Kernel: `convert_pages.cu`.
 */
export const convertPages = defineOp({
  name: 'convertPages',
  inputs: {
    source: { shape: ['G', 'P', 'K', 'E'], layout: 'rows' },
    sourceScales: { shape: ['G', 'P', 'K', 'C'], dtype: ['f32', 'f16'], layout: 'rows', optional: true },
    pages: {
      shape: ['G', 'P', 'K', 'F'],
      dtype: ['i8', 'f8e4m3', 'u8', 'f32', 'f16', 'bf16'],
      layout: 'rows',
      mutated: true,
    },
    scales: { shape: ['G', 'P', 'K', 'R'], dtype: ['f32', 'f16'], layout: 'rows', mutated: true, optional: true },
  },
  outputs: {},
  dtypes: ['f32', 'f16', 'bf16', 'f8e4m3', 'i8', 'u8'],
  check(sizes) {
    const headSize = sizes.get('E') * (sizes.dtypeOf('source') === 'u8' ? 2 : 1);
    return (
      checkStored(sizes, { elements: 'source', scales: 'sourceScales', width: 'E', scaleCount: 'C' }) ??
      checkStored(sizes, { elements: 'pages', scales: 'scales', width: 'F', scaleCount: 'R', headSize })
    );
  },
  kernel: 'convert_pages',
  source: 'https://arxiv.org/abs/2402.02750',
  reference({ source, sourceScales, pages, scales }) {
    const from = { elements: source, scales: sourceScales };
    const to = { elements: pages, scales };
    const isCopy =
      source.data.constructor === pages.data.constructor && (sourceScales === undefined) === (scales === undefined);
    if (isCopy) {
      pages.data.set(source.data);
      if (sourceScales !== undefined) scales?.data.set(sourceScales.data);
      return;
    }
    const vector = new Float32Array(headSizeOf(from));
    const [count = 0, tokens = 0, heads = 0] = source.shape;
    for (let index = 0; index < count * tokens * heads; index++) {
      readVector(from, index, vector);
      writeVector(to, index, vector);
    }
  },
});
