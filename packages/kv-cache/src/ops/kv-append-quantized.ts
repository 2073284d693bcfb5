// Writes new keys and values into pages of a scaled format, rotating queries and keys on the way.

import { choice, defineOp, type HostArray } from '@limen/tensor';

import { checkAppend, forEachSlot, rotated } from '../append-reference.js';
import { checkStoredPair, type StoredArrays, writeVector } from '../stored-vectors.js';

/**
 * Stores the keys and values of new tokens at their positions, as fp8, int8 or int4 with scales for each vector.
 *
 * As `kvAppend`; each key (rotated first) and value is a vector that `encodeVector` turns into elements and scales.
 *
 * @param inputs.k - `[B, T, K, D]` f32 | f16 | bf16, last axis contiguous, others at any stride; `D` ≤ 256
 * @param inputs.v - `[B, T, K, D]`, likewise
 * @param inputs.keyPages - `[G, P, K, E]` f8e4m3 | i8 | u8, last axis contiguous, others at any stride; written.
 *   u8 holds two elements, `E = D / 2`; else `E = D`
 * @param inputs.valuePages - as `keyPages`; written
 * @param inputs.keyScales - `[G, P, K, S]`, last axis contiguous; f32 and `S = 1`, or f16 and `S = 2` for u8; written
 * @param inputs.valueScales - as `keyScales`; written
 * @param inputs.pageTable - `[B, M]` i32, page numbers in order of position
 * @param inputs.positions - `[B, T]` i32, as in `kvAppend`
 * @param inputs.q - `[B, T, H, D]`, last axis contiguous, others at any stride; rotated where it is; default: none
 * @param inputs.rotaryPositions - `[B, T]` i32, positions to rotate by; default: `positions`
 * @param options.rotary - `'none'` (default), `'half'` or `'interleaved'`
 * @param options.base - base of the frequencies; dimensionless; default 10000
 * @param options.rotaryDimensions - channels that turn, even; 0 stands for `D`; default 0
 * @throws {ShapeMismatchError} sizes disagree, `D` > 256, or `rotaryDimensions` is odd or too large
 * @throws {UnsupportedDTypeError} a type outside the list above, or pages and scales of different formats
 * @throws {LayoutError} strides outside the contract
 * @throws {DisposedError} an argument was disposed
 *
 * @remarks Capture-safe. No workspace. Source: https://arxiv.org/abs/2402.02750 (scales for each token). Kernel:
 * `kv_append_quantized.cu`.
 */
export const kvAppendQuantized = defineOp({
  name: 'kvAppendQuantized',
  inputs: {
    k: { shape: ['B', 'T', 'K', 'D'], layout: 'rows' },
    v: { shape: ['B', 'T', 'K', 'D'], layout: 'rows' },
    keyPages: { shape: ['G', 'P', 'K', 'E'], dtype: ['i8', 'f8e4m3', 'u8'], layout: 'rows', mutated: true },
    valuePages: { shape: ['G', 'P', 'K', 'E'], dtype: ['i8', 'f8e4m3', 'u8'], layout: 'rows', mutated: true },
    keyScales: { shape: ['G', 'P', 'K', 'S'], dtype: ['f32', 'f16'], layout: 'rows', mutated: true },
    valueScales: { shape: ['G', 'P', 'K', 'S'], dtype: ['f32', 'f16'], layout: 'rows', mutated: true },
    pageTable: { shape: ['B', 'M'], dtype: ['i32'] },
    positions: { shape: ['B', 'T'], dtype: ['i32'] },
    q: { shape: ['B', 'T', 'H', 'D'], layout: 'rows', optional: true, mutated: true },
    rotaryPositions: { shape: ['B', 'T'], dtype: ['i32'], optional: true },
  },
  outputs: {},
  dtypes: ['f32', 'f16', 'bf16'],
  attributes: { rotary: choice('none', 'half', 'interleaved'), base: 10000, rotaryDimensions: 0 },
  check: (sizes, attributes) => checkStoredPair(sizes) ?? checkAppend(sizes, attributes),
  kernel: 'kv_append_quantized',
  source: 'https://arxiv.org/abs/2402.02750',
  reference(arrays, attributes) {
    const { k, v, keyPages, valuePages, keyScales, valueScales, pageTable, positions, q, rotaryPositions } = arrays;
    const [pages = 0, pageSize = 0, heads = 0] = keyPages.shape;
    const [, , , headSize = 0] = k.shape;
    const angles = rotaryPositions ?? positions;
    const keys = { ...k, data: rotated(k, angles, attributes) };
    q?.data.set(rotated(q, angles, attributes));
    forEachSlot(positions, pageTable, { pages, pageSize }, (token, page, slot) => {
      for (let head = 0; head < heads; head++) {
        const source = (token * heads + head) * headSize;
        const store = (stored: StoredArrays, { data }: HostArray) =>
          writeVector(stored, (page * pageSize + slot) * heads + head, data.subarray(source, source + headSize));
        store({ elements: keyPages, scales: keyScales }, keys);
        store({ elements: valuePages, scales: valueScales }, v);
      }
    });
  },
});
