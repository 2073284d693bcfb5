// Attention of one new token per sequence over a paged cache of fp8, int8 or int4 vectors.

import { defineOp, type HostArray } from '@limen/tensor';

import { attendDecode, checkDecode } from '../decode-reference.js';
import { checkStoredPair, readVector } from '../stored-vectors.js';

/**
 * `attentionDecodePaged` over pages of a scaled storage format, which are read as they are stored.
 *
 * @param inputs.q - `[B, H, D]` f32 | f16 | bf16, last axis contiguous, others at any stride; `D` ≤ 512
 * @param inputs.keyPages - `[G, P, K, E]` f8e4m3 | i8 | u8, last axis contiguous, others at any stride, so that pages may
 *   be NHD or HND; u8 holds two elements, `E = D / 2`; else `E = D`
 * @param inputs.valuePages - as `keyPages`
 * @param inputs.keyScales - `[G, P, K, S]`, last axis contiguous; f32 and `S = 1`, or f16 and `S = 2` for u8
 * @param inputs.valueScales - as `keyScales`
 * @param inputs.pageTable - `[B, M]` i32, page numbers in order of position; entries of unseen keys are not read
 * @param inputs.lengths - `[B]` i32, valid keys in tokens
 * @param inputs.prefixLengths - `[N]` i32, as in `attentionDecodePaged`
 * @param options.scale - factor of the scores; dimensionless; default `0`, which stands for `1/√D`
 * @param options.window - newest keys that are seen, in tokens; default `0`, which stands for all
 * @param options.sinks - first keys that are seen beside the window, in tokens; default 0
 * @param options.out - `[B, H, D]`, contiguous; default: a new tensor that the caller disposes
 * @returns `[B, H, D]`; zeros where the length is 0
 * @throws {ShapeMismatchError} sizes disagree, pages and scales are of different formats, `H` is not a multiple of `K`,
 *   `D` > 512, `N` does not divide `B`, or the window is no count
 * @throws {UnsupportedDTypeError} a type outside the list above
 * @throws {LayoutError} strides outside the contract
 * @throws {DisposedError} an argument was disposed
 *
 * @remarks Capture-safe. Workspace: none, or a few floats per query head and split. With 16-bit queries scores and
 * weights meet the stored elements as halves on tensor cores. Source: https://arxiv.org/abs/2402.02750. Kernel:
 * `attention_decode_quantized.cu`.
 */
export const attentionDecodeQuantized = defineOp({
  name: 'attentionDecodeQuantized',
  inputs: {
    q: { shape: ['B', 'H', 'D'], layout: 'rows' },
    keyPages: { shape: ['G', 'P', 'K', 'E'], dtype: ['i8', 'f8e4m3', 'u8'], layout: 'rows' },
    valuePages: { shape: ['G', 'P', 'K', 'E'], dtype: ['i8', 'f8e4m3', 'u8'], layout: 'rows' },
    keyScales: { shape: ['G', 'P', 'K', 'S'], dtype: ['f32', 'f16'], layout: 'rows' },
    valueScales: { shape: ['G', 'P', 'K', 'S'], dtype: ['f32', 'f16'], layout: 'rows' },
    pageTable: { shape: ['B', 'M'], dtype: ['i32'] },
    lengths: { shape: ['B'], dtype: ['i32'] },
    prefixLengths: { shape: ['N'], dtype: ['i32'], optional: true },
  },
  outputs: { y: { shape: ['B', 'H', 'D'] } },
  dtypes: ['f32', 'f16', 'bf16'],
  attributes: { scale: 0, window: 0, sinks: 0 },
  check: (sizes, attributes) => checkStoredPair(sizes) ?? checkDecode(sizes, attributes),
  kernel: 'attention_decode_quantized',
  source: 'https://arxiv.org/abs/2402.02750',
  reference({ q, keyPages, valuePages, keyScales, valueScales, pageTable, lengths, y }, attributes) {
    const [, pageSize = 0, keyHeads = 0] = keyPages.shape;
    const reader =
      (elements: typeof keyPages, scales: HostArray) =>
      (page: number, slot: number, head: number, target: Float32Array) =>
        readVector({ elements, scales }, (page * pageSize + slot) * keyHeads + head, target);
    attendDecode(
      { q, pageTable, lengths, y },
      { pageSize, keyHeads },
      attributes,
      reader(keyPages, keyScales),
      reader(valuePages, valueScales),
    );
  },
});
