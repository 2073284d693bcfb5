import { opCases } from '../testing/op-cases.js';
import { conv2d } from './conv2d.js';

const weight = { low: -0.1, high: 0.1 };

export default opCases(conv2d, {
  test: [
    { shapes: { x: [1, 1, 1, 1], weight: [1, 1, 1, 1] } },
    {
      shapes: { x: [2, 7, 9, 11], weight: [13, 3, 3, 11], bias: [13] },
      attributes: { padding: 1 },
      values: { weight },
    },
    {
      shapes: { x: [1, 12, 12, 64], weight: [72, 3, 3, 64], bias: [72], residual: [1, 12, 12, 72] },
      attributes: { padding: 1 },
      values: { weight },
    },
    { shapes: { x: [2, 9, 10, 24], weight: [3, 3, 3, 24], bias: [3] }, attributes: { padding: 1 }, values: { weight } },
    // Patch embeddings: sixteen pixels of three channels are whole vectors, fourteen are not.
    {
      shapes: { x: [2, 48, 32, 3], weight: [40, 16, 16, 3], bias: [40] },
      attributes: { stride: 16 },
      values: { weight },
    },
    { shapes: { x: [1, 28, 42, 3], weight: [17, 14, 14, 3] }, attributes: { stride: 14 }, values: { weight } },
    { shapes: { x: [2, 8, 9, 16], weight: [24, 2, 2, 16] }, attributes: { stride: 2 }, values: { weight } },
    {
      shapes: { x: [1, 6, 5, 8], weight: [9, 5, 2, 8], residual: [1, 3, 4, 9] },
      attributes: { stride: 2, padding: 2 },
      values: { weight },
    },
    // A pointwise convolution, and enough tiles of 128 × 128 for a whole device.
    { shapes: { x: [1, 10, 10, 136], weight: [70, 1, 1, 136] }, values: { weight } },
    {
      shapes: { x: [1, 124, 124, 8], weight: [72, 3, 3, 8] },
      attributes: { padding: 1 },
      values: { weight },
      dtypes: ['bf16'],
    },
    { shapes: { x: [0, 4, 4, 8], weight: [8, 3, 3, 8] } },
  ],
  rejects: [
    { shapes: { x: [1, 4, 4, 8], weight: [8, 3, 3, 7] }, throws: 'SHAPE_MISMATCH' },
    { shapes: { x: [1, 4, 4, 8], weight: [8, 5, 3, 8] }, throws: 'SHAPE_MISMATCH' },
    { shapes: { x: [1, 4, 4, 8], weight: [8, 3, 3, 8], residual: [1, 3, 2, 8] }, throws: 'SHAPE_MISMATCH' },
    { shapes: { x: [1, 4, 4, 8], weight: [8, 3, 3, 8] }, attributes: { stride: 0 }, throws: 'SHAPE_MISMATCH' },
    { shapes: { x: [1, 4, 4, 8], weight: [8, 3, 3, 8] }, attributes: { padding: -1 }, throws: 'SHAPE_MISMATCH' },
    { shapes: { x: [1, 4, 4, 8], weight: [8, 3, 3, 8] }, inputDTypes: { weight: 'f16' }, throws: 'UNSUPPORTED_DTYPE' },
  ],
  bench: [
    { shapes: { x: [1, 384, 384, 128], weight: [128, 3, 3, 128] }, attributes: { padding: 1 } },
    { shapes: { x: [1, 384, 384, 256], weight: [128, 3, 3, 256] }, attributes: { padding: 1 } },
    { shapes: { x: [1, 192, 192, 256], weight: [256, 3, 3, 256] }, attributes: { padding: 1 } },
    { shapes: { x: [1, 24, 24, 512], weight: [512, 3, 3, 512] }, attributes: { padding: 1 } },
    { shapes: { x: [1, 384, 384, 3], weight: [1024, 16, 16, 3] }, attributes: { stride: 16 } },
  ],
  operations: ({
    x: [batches = 0, height = 0, width = 0, channels = 0] = [],
    weight: [o = 0, kernelHeight = 0, kernelWidth = 0] = [],
  }) => {
    // Square cases that keep the image size, or tile it.
    const windows = kernelHeight > 3 ? (height / kernelHeight) * (width / kernelWidth) : height * width;
    return 2 * batches * windows * o * kernelHeight * kernelWidth * channels;
  },
  tolerance: { f32: 2e-5, f16: 4e-3, bf16: 2e-2 },
});
