import { opCases } from '../testing/op-cases.js';
import { codebookLookup } from './codebook-lookup.js';

export default opCases(codebookLookup, {
  test: [
    { shapes: { ids: [], codebook: [1, 1] }, values: { ids: 0 } },
    { shapes: { ids: [3, 5], codebook: [17, 101] }, values: { ids: { low: -2, high: 20 } } },
    { shapes: { ids: [2, 576], codebook: [300, 8] }, values: { ids: { low: 0, high: 300 } } },
    {
      shapes: { ids: [9], codebook: [20, 8] },
      values: { ids: { low: 0, high: 20 } },
      attributes: { normalize: false },
    },
    { shapes: { ids: [2], codebook: [3, 8] }, values: { ids: 1, codebook: 0 } },
    { shapes: { ids: [0], codebook: [3, 8] } },
  ],
  rejects: [
    { shapes: { ids: [2], codebook: [7] }, throws: 'SHAPE_MISMATCH' },
    { shapes: { ids: [2], codebook: [4, 8] }, inputDTypes: { ids: 'f32' }, throws: 'UNSUPPORTED_DTYPE' },
  ],
  bench: [{ shapes: { ids: [16, 576], codebook: [16384, 8] }, values: { ids: { low: 0, high: 16384 } } }],
  bytesMoved: ({ outputBytes }) => 2 * outputBytes,
  tolerance: { f32: 1e-6, f16: 1e-3, bf16: 8e-3 },
});
