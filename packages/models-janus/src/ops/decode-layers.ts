// All layers of a decoder for one token of each sequence.

import { defineOp } from '@limen/tensor';

import { cacheInputs, checkLayers, runLayers } from './decode-layers-reference.js';

/**
 * Takes one token of every sequence through all layers of a Llama decoder, in one launch.
 *
 * For each layer: `q, k, v = queryKeyValue · rmsNorm(x)`, `q` and `k` rotated in halves; `k` and `v` are stored;
 * `m = x + output · attention(q)`; `x = m + down · (silu(gate) · up)` with `gate, up = gateUp · rmsNorm(m)`. Sums are made
 * in f32; what lies between is rounded to bf16.
 *
 * @param inputs.x - `[B, C]` bf16, contiguous
 * @param inputs.attentionNorm - `[L, C]`
 * @param inputs.queryKeyValue - `[L, 3·H·D, C]`: the rows of queries, keys and values, head by head
 * @param inputs.output - `[L, C, H·D]`
 * @param inputs.mlpNorm - `[L, C]`
 * @param inputs.gateUp - `[L, 2·F, C]`: the gate's rows, then the up's
 * @param inputs.down - `[L, C, F]`
 * @param inputs.keyPages - `[L, G, P, H, D]`, last axis contiguous, others at any stride; `D` is even; written
 * @param inputs.valuePages - `[L, G, P, H, D]`, likewise; written
 * @param inputs.pageTable - `[B, M]` i32, page numbers in order of position
 * @param inputs.positions - `[B]` i32, where the token goes: `lengths[b] − 1`, or negative: it is not stored
 * @param inputs.lengths - `[B]` i32, keys that the token sees, in tokens, itself included; 0: it sees nothing
 * @param inputs.rotaryPositions - `[B]` i32, positions to rotate by; default: `positions`
 * @param options.epsilon - added to the mean square; default 1e-6
 * @param options.base - base of the rotary frequencies; dimensionless; default 10000
 * @param options.out - `[B, C]`, contiguous; default: a new tensor that the caller disposes
 * @returns `[B, C]`, what the last layer makes, not normed
 * @throws {ShapeMismatchError} sizes disagree, or `D` is odd or above 256
 * @throws {UnsupportedDTypeError} a type other than bf16
 * @throws {LayoutError} strides outside the contract
 * @throws {DisposedError} an argument was disposed
 *
 * @remarks Capture-safe. Made for up to 32 rows, `D` of 32 or 128, sizes in multiples of 64, on sm_90 and later, by blocks
 * that wait for one another: nothing else that waits for this stream may hold the device meanwhile. Everything else is
 * right, but slow. Workspace: what blocks pass to one another, some 150 KB for each row and each of eight layers at most.
 * Weights, tables and older keys may be read before the op before this one is done. Source:
 * https://arxiv.org/abs/2302.13971. Kernel: `decode_layers.cu`.
 */
export const decodeLayers = defineOp({
  name: 'decodeLayers',
  inputs: {
    x: { shape: ['B', 'C'] },
    attentionNorm: { shape: ['L', 'C'] },
    queryKeyValue: { shape: ['L', 'N', 'C'] },
    output: { shape: ['L', 'C', 'W'] },
    mlpNorm: { shape: ['L', 'C'] },
    gateUp: { shape: ['L', 'U', 'C'] },
    down: { shape: ['L', 'C', 'F'] },
    ...cacheInputs,
  },
  outputs: { y: { shape: ['B', 'C'] } },
  dtypes: ['bf16'],
  attributes: { epsilon: 1e-6, base: 10000 },
  check: checkLayers,
  kernel: 'decode_layers',
  source: 'https://arxiv.org/abs/2302.13971',
  reference: runLayers,
});
