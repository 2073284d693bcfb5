// A decode step of one layer over a paged cache of fp8, int8 or int4 vectors. One launch.

import { defineOp } from '@limen/tensor';

import { attentionAppendAttributes, checkAttentionAppend, newTokens } from '../attention-append-reference.js';
import { checkStoredPair } from '../stored-vectors.js';
import { attentionDecodeQuantized } from './attention-decode-quantized.js';
import { kvAppendQuantized } from './kv-append-quantized.js';

/**
 * `attentionAppendPaged` over pages of a scaled storage format. The new token is attended to as it is stored.
 *
 * @param inputs.q - `[B, H, D]` f32 | f16 | bf16, not rotated; last axis contiguous, others at any stride; `D` ≤ 256
 * @param inputs.k - `[B, K, D]`, the new keys, not rotated; likewise
 * @param inputs.v - `[B, K, D]`, the new values; likewise
 * @param inputs.keyPages - `[G, P, K, E]` f8e4m3 | i8 | u8, last axis contiguous, others at any stride, so that pages may
 *   be NHD or HND; u8 holds two elements, `E = D / 2`; else `E = D`; written
 * @param inputs.valuePages - as `keyPages`; written
 * @param inputs.keyScales - `[G, P, K, S]`, last axis contiguous; f32 and `S = 1`, or f16 and `S = 2` for u8; written
 * @param inputs.valueScales - as `keyScales`; written
 * @param inputs.pageTable - `[B, M]` i32, page numbers in order of position; entries of unseen keys are not read
 * @param inputs.positions - `[B]` i32, where the new token goes, as in `attentionAppendPaged`
 * @param inputs.lengths - `[B]` i32, valid keys in tokens, the new one among them
 * @param inputs.rotaryPositions - `[B]` i32, positions to rotate by; default: `positions`
 * @param inputs.prefixLengths - `[N]` i32, where `N` divides `B`: each `B/N` consecutive sequences hold their first
 *   `prefixLengths[n]` keys in the same pages, which are then read once for all of them where that is faster; new tokens
 *   lie behind them. Default: nothing is shared. Results are the same with and without
 * @param options.rotary - `'none'` (default), `'half'` or `'interleaved'`
 * @param options.base - base of the frequencies; dimensionless; default 10000
 * @param options.rotaryDimensions - channels that turn, even; 0 stands for `D`; default 0
 * @param options.scale - factor of the scores; dimensionless; default `0`, which stands for `1/√D`
 * @param options.window - newest keys that are seen, in tokens; default `0`, which stands for all
 * @param options.sinks - first keys that are seen beside the window, in tokens; default 0
 * @param options.settledCache - as in `attentionAppendPaged`; default `false`
 * @param options.out - `[B, H, D]`, contiguous; default: a new tensor that the caller disposes
 * @returns `[B, H, D]`; zeros where the length is 0
 * @throws {ShapeMismatchError} sizes disagree, pages and scales are of different formats, `H` is not a multiple of `K`,
 *   `D` > 256, `rotaryDimensions` is odd or too large, or the window is no count
 * @throws {UnsupportedDTypeError} a type outside the list above
 * @throws {LayoutError} strides outside the contract
 * @throws {DisposedError} an argument was disposed
 *
 * @remarks Capture-safe. Workspace as in `attentionAppendPaged`. Source: https://arxiv.org/abs/2402.02750. Kernel:
 * `attention_append_quantized.cu`.
 */
export const attentionAppendQuantized = defineOp({
  name: 'attentionAppendQuantized',
  inputs: {
    q: { shape: ['B', 'H', 'D'], layout: 'rows' },
    k: { shape: ['B', 'K', 'D'], layout: 'rows' },
    v: { shape: ['B', 'K', 'D'], layout: 'rows' },
    keyPages: { shape: ['G', 'P', 'K', 'E'], dtype: ['i8', 'f8e4m3', 'u8'], layout: 'rows', mutated: true },
    valuePages: { shape: ['G', 'P', 'K', 'E'], dtype: ['i8', 'f8e4m3', 'u8'], layout: 'rows', mutated: true },
    keyScales: { shape: ['G', 'P', 'K', 'S'], dtype: ['f32', 'f16'], layout: 'rows', mutated: true },
    valueScales: { shape: ['G', 'P', 'K', 'S'], dtype: ['f32', 'f16'], layout: 'rows', mutated: true },
    pageTable: { shape: ['B', 'M'], dtype: ['i32'] },
    positions: { shape: ['B'], dtype: ['i32'] },
    lengths: { shape: ['B'], dtype: ['i32'] },
    rotaryPositions: { shape: ['B'], dtype: ['i32'], optional: true },
    prefixLengths: { shape: ['N'], dtype: ['i32'], optional: true },
  },
  outputs: { y: { shape: ['B', 'H', 'D'] } },
  dtypes: ['f32', 'f16', 'bf16'],
  attributes: attentionAppendAttributes,
  check: (sizes, attributes) => checkStoredPair(sizes) ?? checkAttentionAppend(sizes, attributes),
  kernel: 'attention_append_quantized',
  source: 'https://arxiv.org/abs/2402.02750',
  reference({ q, k, v, positions, rotaryPositions, prefixLengths, lengths, y, ...pages }, attributes) {
    const { turned, tokens } = newTokens({ q, k, v, positions, rotaryPositions });
    kvAppendQuantized.declaration.reference({ ...pages, ...tokens }, attributes);
    attentionDecodeQuantized.declaration.reference({ ...pages, q: turned, lengths, prefixLengths, y }, attributes);
  },
});
