import { opCases } from '../testing/op-cases.js';
import { normConv2d } from './norm-conv2d.js';

const weight = { low: -0.1, high: 0.1 };
const padded = { padding: 1, activation: 'silu' };

/** An image of `[images, side, side, channels]` behind a norm. */
function normed(x: readonly [number, number, number, number], outputs: number) {
  const channels = x[3];
  return {
    x,
    normWeight: [channels],
    normBias: [channels],
    weight: [outputs, 3, 3, channels],
    bias: [outputs],
  };
}

export default opCases(normConv2d, {
  test: [
    { shapes: { x: [1, 1, 1, 1], weight: [1, 1, 1, 1] }, attributes: { groups: 1 } },
    { shapes: normed([2, 7, 9, 33], 13), attributes: { ...padded, groups: 3 }, values: { weight } },
    { shapes: { x: [1, 5, 6, 11], weight: [9, 3, 3, 11] }, attributes: { groups: 1, padding: 1, scale: 2 } },
    { shapes: { x: [1, 5, 4, 16], weight: [8, 2, 3, 16] }, attributes: { groups: 4, scale: 2 }, values: { weight } },
    { shapes: normed([1, 6, 5, 64], 70), attributes: { groups: 32 }, values: { weight } },
    // Slabs of 64 channels on warpgroups: one tile and a part of one, a cluster, three colours, a doubled image.
    { shapes: { x: [1, 8, 24, 64], weight: [128, 3, 3, 64] }, attributes: { padding: 1 }, values: { weight } },
    {
      shapes: { ...normed([2, 21, 27, 64], 72), residual: [2, 21, 27, 72] },
      attributes: padded,
      values: { weight },
    },
    {
      shapes: { ...normed([1, 24, 24, 512], 256), residual: [1, 24, 24, 256] },
      attributes: padded,
      values: { weight: { low: -0.03, high: 0.03 } },
      dtypes: ['bf16', 'f16'],
    },
    { shapes: normed([1, 33, 20, 128], 3), attributes: padded, values: { weight } },
    {
      shapes: { x: [1, 13, 11, 128], weight: [136, 3, 3, 128], bias: [136], residual: [1, 26, 22, 136] },
      attributes: { padding: 1, scale: 2 },
      values: { weight },
      dtypes: ['bf16', 'f16'],
    },
    { shapes: normed([0, 4, 4, 64], 8), attributes: padded },
  ],
  rejects: [
    { shapes: normed([1, 4, 4, 33], 8), throws: 'SHAPE_MISMATCH' },
    { shapes: { ...normed([1, 4, 4, 32], 8), normWeight: [31] }, throws: 'SHAPE_MISMATCH' },
    { shapes: { x: [1, 4, 4, 32], weight: [8, 3, 3, 32] }, attributes: { scale: 3 }, throws: 'SHAPE_MISMATCH' },
    { shapes: { x: [1, 4, 4, 32], weight: [8, 3, 3, 32] }, attributes: { padding: -1 }, throws: 'SHAPE_MISMATCH' },
    { shapes: { x: [1, 4, 4, 32], weight: [8, 5, 3, 32] }, throws: 'SHAPE_MISMATCH' },
    {
      shapes: { x: [1, 4, 4, 32], weight: [8, 3, 3, 32], residual: [1, 4, 4, 8] },
      throws: 'SHAPE_MISMATCH',
    },
    {
      shapes: { x: [1, 4, 4, 32], weight: [8, 3, 3, 32] },
      inputDTypes: { weight: 'f16' },
      throws: 'UNSUPPORTED_DTYPE',
    },
  ],
  bench: [
    { shapes: { ...normed([1, 384, 384, 128], 128), residual: [1, 384, 384, 128] }, attributes: padded },
    { shapes: { ...normed([1, 192, 192, 128], 128), residual: [1, 192, 192, 128] }, attributes: padded },
    { shapes: { ...normed([1, 96, 96, 256], 256), residual: [1, 96, 96, 256] }, attributes: padded },
    { shapes: { ...normed([1, 48, 48, 256], 256), residual: [1, 48, 48, 256] }, attributes: padded },
    { shapes: { ...normed([1, 24, 24, 512], 512), residual: [1, 24, 24, 512] }, attributes: padded },
    { shapes: { x: [1, 192, 192, 128], weight: [128, 3, 3, 128] }, attributes: { padding: 1, scale: 2 } },
    { shapes: { x: [1, 96, 96, 256], weight: [256, 3, 3, 256] }, attributes: { padding: 1, scale: 2 } },
    { shapes: normed([1, 384, 384, 128], 3), attributes: padded },
  ],
  // The bench cases have windows of 3 × 3 and keep the size of the image, or double it.
  operations: ({ x: [batches = 0, rows = 0, columns = 0, channels = 0] = [], weight: [outputs = 0] = [], normBias }) =>
    18 * batches * rows * columns * channels * outputs * (normBias === undefined ? 4 : 1),
  tolerance: { f32: 5e-5, f16: 6e-3, bf16: 3e-2 },
});
