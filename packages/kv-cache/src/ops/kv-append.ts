// Writes new keys and values into the pages of a cache, rotating queries and keys on the way.

import { choice, defineOp } from '@limen/tensor';

import { checkAppend, forEachSlot, rotated } from '../append-reference.js';

/**
 * Stores the keys and values of new tokens at their positions.
 *
 * `keyPages[page, slot] = rotate(k[b, t])` and `valuePages[page, slot] = v[b, t]` with `p = positions[b, t]`,
 * `page = pageTable[b, ⌊p / P⌋]`, `slot = p mod P`; `q[b, t] = rotate(q[b, t])`. `rotate` is that of `ropeHalf` or
 * `ropeInterleaved`, or nothing.
 *
 * @param inputs.k - `[B, T, K, D]` f32 | f16 | bf16, last axis contiguous, others at any stride; `D` ≤ 256
 * @param inputs.v - `[B, T, K, D]`, likewise
 * @param inputs.keyPages - `[G, P, K, D]`, last axis contiguous, others at any stride; written
 * @param inputs.valuePages - `[G, P, K, D]`, likewise; written
 * @param inputs.pageTable - `[B, M]` i32, page numbers in order of position
 * @param inputs.positions - `[B, T]` i32, tokens from the start of the sequence; a negative position stores nothing,
 *   as do a position past `M · P` and a page outside `[0, G)`. No two tokens may share a slot.
 * @param inputs.q - `[B, T, H, D]`, last axis contiguous, others at any stride; rotated where it is; default: none
 * @param inputs.rotaryPositions - `[B, T]` i32, positions to rotate by; default: `positions`
 * @param options.rotary - `'none'` (default), `'half'` or `'interleaved'`
 * @param options.base - base of the frequencies; dimensionless; default 10000
 * @param options.rotaryDimensions - channels that turn, even; 0 stands for `D`; default 0
 * @throws {ShapeMismatchError} sizes disagree, `D` > 256, or `rotaryDimensions` is odd or too large
 * @throws {UnsupportedDTypeError} a type outside the list above
 * @throws {LayoutError} strides outside the contract
 * @throws {DisposedError} an argument was disposed
 *
 * @remarks Capture-safe. No workspace. Source: https://arxiv.org/abs/2309.06180. Kernel: `kv_append.cu`.
 */
export const kvAppend = defineOp({
  name: 'kvAppend',
  inputs: {
    k: { shape: ['B', 'T', 'K', 'D'], layout: 'rows' },
    v: { shape: ['B', 'T', 'K', 'D'], layout: 'rows' },
    keyPages: { shape: ['G', 'P', 'K', 'D'], layout: 'rows', mutated: true },
    valuePages: { shape: ['G', 'P', 'K', 'D'], layout: 'rows', mutated: true },
    pageTable: { shape: ['B', 'M'], dtype: ['i32'] },
    positions: { shape: ['B', 'T'], dtype: ['i32'] },
    q: { shape: ['B', 'T', 'H', 'D'], layout: 'rows', optional: true, mutated: true },
    rotaryPositions: { shape: ['B', 'T'], dtype: ['i32'], optional: true },
  },
  outputs: {},
  dtypes: ['f32', 'f16', 'bf16'],
  attributes: { rotary: choice('none', 'half', 'interleaved'), base: 10000, rotaryDimensions: 0 },
  check: checkAppend,
  kernel: 'kv_append',
  source: 'https://arxiv.org/abs/2309.06180',
  reference({ k, v, keyPages, valuePages, pageTable, positions, q, rotaryPositions }, attributes) {
    const [pages = 0, pageSize = 0, heads = 0, headSize = 0] = keyPages.shape;
    const angles = rotaryPositions ?? positions;
    const keys = rotated(k, angles, attributes);
    q?.data.set(rotated(q, angles, attributes));
    const width = heads * headSize;
    forEachSlot(positions, pageTable, { pages, pageSize }, (token, page, slot) => {
      const target = (page * pageSize + slot) * width;
      keyPages.data.set(keys.subarray(token * width, (token + 1) * width), target);
      valuePages.data.set(v.data.subarray(token * width, (token + 1) * width), target);
    });
  },
});
