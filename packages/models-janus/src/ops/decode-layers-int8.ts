// decodeLayers with one signed byte per weight.

import { defineOp, type HostArray } from '@limen/tensor';

import { cacheInputs, checkLayers, runLayers } from './decode-layers-reference.js';

/** `[L, N, K]` codes times `[L, N]` scales. */
function widened({ data, shape }: HostArray<Int8Array>, scales: HostArray): HostArray {
  const length = shape[2] ?? 1;
  return {
    data: Float32Array.from(data, (code, index) => code * (scales.data[Math.floor(index / length)] ?? 0)),
    shape,
  };
}

/**
 * Takes one token of every sequence through all layers of a Llama decoder, in one launch.
 *
 * As `decodeLayers`, with `weight[l, n, k] · scales[l, n]` in the place of each of the four weights.
 *
 * @param inputs.queryKeyValue - `[L, 3·H·D, C]` i8, as `quantizeInt8` makes it, and likewise the other weights
 * @param inputs.queryKeyValueScales - `[L, 3·H·D]` f32
 * @param inputs.outputScales - `[L, C]` f32
 * @param inputs.gateUpScales - `[L, 2·F]` f32
 * @param inputs.downScales - `[L, C]` f32
 * @returns `[B, C]`, what the last layer makes, not normed
 * @throws {ShapeMismatchError} sizes disagree, or `D` is odd or above 256
 * @throws {UnsupportedDTypeError} a type outside the list above
 * @throws {LayoutError} strides outside the contract
 * @throws {DisposedError} an argument was disposed
 *
 * @remarks As `decodeLayers`, with sizes in multiples of 128. Kernel: `decode_layers_int8.cu`.
 */
export const decodeLayersInt8 = defineOp({
  name: 'decodeLayersInt8',
  inputs: {
    x: { shape: ['B', 'C'] },
    attentionNorm: { shape: ['L', 'C'] },
    queryKeyValue: { shape: ['L', 'N', 'C'], dtype: ['i8'] },
    output: { shape: ['L', 'C', 'W'], dtype: ['i8'] },
    mlpNorm: { shape: ['L', 'C'] },
    gateUp: { shape: ['L', 'U', 'C'], dtype: ['i8'] },
    down: { shape: ['L', 'C', 'F'], dtype: ['i8'] },
    ...cacheInputs,
    queryKeyValueScales: { shape: ['L', 'N'], dtype: ['f32'] },
    outputScales: { shape: ['L', 'C'], dtype: ['f32'] },
    gateUpScales: { shape: ['L', 'U'], dtype: ['f32'] },
    downScales: { shape: ['L', 'C'], dtype: ['f32'] },
  },
  outputs: { y: { shape: ['B', 'C'] } },
  dtypes: ['bf16'],
  attributes: { epsilon: 1e-6, base: 10000 },
  check: checkLayers,
  kernel: 'decode_layers_int8',
  source: 'https://arxiv.org/abs/2302.13971',
  reference({ queryKeyValueScales, outputScales, gateUpScales, downScales, ...arrays }, attributes) {
    const weights = {
      queryKeyValue: widened(arrays.queryKeyValue, queryKeyValueScales),
      output: widened(arrays.output, outputScales),
      gateUp: widened(arrays.gateUp, gateUpScales),
      down: widened(arrays.down, downScales),
    };
    runLayers({ ...arrays, ...weights }, attributes);
  },
});
