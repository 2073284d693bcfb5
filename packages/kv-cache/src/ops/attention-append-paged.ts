// A decode step of one layer over a paged cache: rotate, store the new token, attend. One launch.

import { defineOp } from '@limen/tensor';

import { attentionAppendAttributes, checkAttentionAppend, newTokens } from '../attention-append-reference.js';
import { attentionDecodePaged } from './attention-decode-paged.js';
import { kvAppend } from './kv-append.js';

/**
 * Stores the key and value of one new token of every sequence and lets its queries attend to all keys.
 *
 * The same as `kvAppend` of one token followed by `attentionDecodePaged`, except that `q` stays as it is: its rotated
 * form is not written anywhere. In one launch, which the next layer's overlaps.
 *
 * @param inputs.q - `[B, H, D]` f32 | f16 | bf16, not rotated; last axis contiguous, others at any stride; `D` ≤ 256
 * @param inputs.k - `[B, K, D]`, the new keys, not rotated; likewise
 * @param inputs.v - `[B, K, D]`, the new values; likewise
 * @param inputs.keyPages - `[G, P, K, D]`, last axis contiguous, others at any stride, so that pages may be NHD or HND;
 *   `H` is a multiple of `K`, `H/K` query heads share a key head; written
 * @param inputs.valuePages - `[G, P, K, D]`, likewise; written
 * @param inputs.pageTable - `[B, M]` i32, page numbers in order of position; entries of unseen keys are not read
 * @param inputs.positions - `[B]` i32, where the new token goes, in tokens from the start of its sequence; a negative
 *   position stores nothing, as do a position past `M · P` and a page outside `[0, G)`. No sequence may read a slot that
 *   another one writes
 * @param inputs.lengths - `[B]` i32, valid keys in tokens, the new one among them; they stay on the device
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
 * @param options.settledCache - promises that no op that may still be running writes the page table, the positions, the
 *   lengths, or any key or value of these pages, as is true of a model whose layers have pages of their own; they may then
 *   be read before the op before this one is done; default `false`
 * @param options.out - `[B, H, D]`, contiguous; default: a new tensor that the caller disposes
 * @returns `[B, H, D]`; zeros where the length is 0
 * @throws {ShapeMismatchError} sizes disagree, `H` is not a multiple of `K`, `D` > 256, `rotaryDimensions` is odd or too
 *   large, or the window is no count
 * @throws {UnsupportedDTypeError} a type outside the list above
 * @throws {LayoutError} strides outside the contract
 * @throws {DisposedError} an argument was disposed
 *
 * @remarks Capture-safe. Workspace: none for 16-bit types whose vectors stand on sixteen bytes, unless rows are very long;
 * else the rotated queries and that of `attentionDecodePaged`. Sources: https://arxiv.org/abs/2309.06180 (pages),
 * https://arxiv.org/abs/2311.01282 (split keys). Kernel: `attention_append_paged.cu`.
 */
export const attentionAppendPaged = defineOp({
  name: 'attentionAppendPaged',
  inputs: {
    q: { shape: ['B', 'H', 'D'], layout: 'rows' },
    k: { shape: ['B', 'K', 'D'], layout: 'rows' },
    v: { shape: ['B', 'K', 'D'], layout: 'rows' },
    keyPages: { shape: ['G', 'P', 'K', 'D'], layout: 'rows', mutated: true },
    valuePages: { shape: ['G', 'P', 'K', 'D'], layout: 'rows', mutated: true },
    pageTable: { shape: ['B', 'M'], dtype: ['i32'] },
    positions: { shape: ['B'], dtype: ['i32'] },
    lengths: { shape: ['B'], dtype: ['i32'] },
    rotaryPositions: { shape: ['B'], dtype: ['i32'], optional: true },
    prefixLengths: { shape: ['N'], dtype: ['i32'], optional: true },
  },
  outputs: { y: { shape: ['B', 'H', 'D'] } },
  dtypes: ['f32', 'f16', 'bf16'],
  attributes: attentionAppendAttributes,
  check: checkAttentionAppend,
  kernel: 'attention_append_paged',
  source: 'https://arxiv.org/abs/2309.06180',
  reference({ q, k, v, positions, rotaryPositions, prefixLengths, lengths, y, ...pages }, attributes) {
    const { turned, tokens } = newTokens({ q, k, v, positions, rotaryPositions });
    kvAppend.declaration.reference({ ...pages, ...tokens }, attributes);
    attentionDecodePaged.declaration.reference({ ...pages, q: turned, lengths, prefixLengths, y }, attributes);
  },
});
