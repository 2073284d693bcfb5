// Turns a weight into one signed byte per element and one scale per row. The same on plain arrays: int8-channel.ts.

import { defineOp } from '@limen/tensor';

import { packInt8Channel } from '../int8-channel.js';

/**
 * Quantises each row of a weight with a scale of its own.
 *
 * `scales[n] = max_k |weight[n, k]| / 127`, `values[n, k] = round(weight[n, k] / scales[n])`, ties to even, in f32
 *
 * @param inputs.weight - `[N, K]` f32 | f16 | bf16, contiguous, finite
 * @param options.out - `{ values, scales }` to write into; default: new tensors that the caller disposes
 * @returns `values` i8 `[N, K]` in -127 … 127 and `scales` f32 `[N]`; a row of zeros has scale 0
 * @throws {UnsupportedDTypeError} a type outside the list above
 * @throws {DisposedError} an argument was disposed
 *
 * @remarks Capture-safe. No workspace. The error of a weight is at most half its row's scale.
 * Source: https://arxiv.org/abs/1806.08342 §2.2. Kernel: `quantize_int8.cu`.
 */
export const quantizeInt8 = defineOp({
  name: 'quantizeInt8',
  inputs: { weight: { shape: ['N', 'K'] } },
  outputs: { values: { shape: ['N', 'K'], dtype: 'i8' }, scales: { shape: ['N'], dtype: 'f32' } },
  dtypes: ['f32', 'f16', 'bf16'],
  kernel: 'quantize_int8',
  source: 'https://arxiv.org/abs/1806.08342',
  reference({ weight, values, scales }) {
    const [rows = 0, columns = 0] = weight.shape;
    const packed = packInt8Channel(weight.data, rows, columns);
    values.data.set(packed.values);
    scales.data.set(packed.scales);
  },
});
