import { opCases } from '../testing/op-cases.js';
import { attention } from './attention.js';

export default opCases(attention, {
  test: [
    { shapes: { q: [1, 1, 1, 1], k: [1, 1, 1, 1] } },
    { shapes: { q: [2, 19, 4, 20], k: [2, 33, 2, 20] }, attributes: { causal: true } },
    { shapes: { q: [1, 70, 2, 64], k: [1, 70, 2, 64] }, attributes: { causal: true } },
    {
      shapes: { q: [2, 5, 4, 128], k: [2, 150, 1, 128], lengths: [2] },
      attributes: { causal: true },
      values: { lengths: [149, 33] },
    },
    { shapes: { q: [1, 130, 2, 112], k: [1, 130, 2, 112] } },
    {
      shapes: { q: [2, 65, 3, 72], k: [2, 100, 1, 72], lengths: [2] },
      attributes: { scale: 0.05 },
      values: { lengths: [0, 100] },
    },
    { shapes: { q: [1, 33, 2, 16], k: [1, 129, 2, 16], lengths: [1] }, values: { lengths: [64] } },
    { shapes: { q: [3, 1, 8, 96], k: [3, 66, 2, 96], lengths: [3] }, values: { lengths: [66, 1, 65] } },
    { shapes: { q: [1, 40, 1, 512], k: [1, 40, 1, 512] } },
    { shapes: { q: [1, 9, 2, 200], k: [1, 45, 2, 200] }, attributes: { causal: true } },
    // The first queries see nothing.
    { shapes: { q: [1, 100, 1, 32], k: [1, 17, 1, 32] }, attributes: { causal: true } },
    { shapes: { q: [1, 3, 2, 8], k: [1, 0, 2, 8] } },
    { shapes: { q: [0, 3, 2, 8], k: [0, 4, 2, 8] } },
  ],
  rejects: [
    { shapes: { q: [1, 2, 3, 8], k: [1, 2, 2, 8] }, throws: 'SHAPE_MISMATCH' },
    { shapes: { q: [1, 1, 1, 520], k: [1, 1, 1, 520] }, throws: 'SHAPE_MISMATCH' },
    { shapes: { q: [1, 2, 2, 8], k: [1, 2, 2, 16] }, throws: 'SHAPE_MISMATCH' },
    { shapes: { q: [1, 2, 2, 8], k: [1, 4, 2, 8], v: [1, 5, 2, 8] }, throws: 'SHAPE_MISMATCH' },
    { shapes: { q: [1, 2, 2, 8], k: [1, 2, 2, 8] }, inputDTypes: { k: 'f16' }, throws: 'UNSUPPORTED_DTYPE' },
  ],
  bench: [
    { shapes: { q: [1, 6401, 16, 112], k: [1, 6401, 16, 112] } },
    { shapes: { q: [1, 2048, 32, 128], k: [1, 2048, 32, 128] }, attributes: { causal: true } },
    { shapes: { q: [1, 640, 32, 128], k: [1, 640, 32, 128] }, attributes: { causal: true } },
    { shapes: { q: [1, 576, 16, 64], k: [1, 576, 16, 64] } },
    { shapes: { q: [1, 576, 1, 512], k: [1, 576, 1, 512] } },
  ],
  operations: ({ q: [batches = 0, queries = 0, heads = 0, headSize = 0] = [], k: [, keys = 0] = [] }) =>
    4 * batches * queries * heads * headSize * keys,
  tolerance: { f32: 2e-5, f16: 3e-3, bf16: 2e-2 },
});
