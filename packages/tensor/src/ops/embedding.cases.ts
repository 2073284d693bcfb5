import { opCases } from '../testing/op-cases.js';
import { embedding } from './embedding.js';

export default opCases(embedding, {
  test: [
    { shapes: { ids: [], weight: [1, 1] }, values: { ids: 0 } },
    { shapes: { ids: [3, 5], weight: [17, 1001] }, values: { ids: { low: -2, high: 20 } } },
    { shapes: { ids: [2, 33], weight: [101, 264] }, values: { ids: { low: 0, high: 101 } } },
    { shapes: { ids: [40], weight: [9, 12] }, values: { ids: { low: 0, high: 9 } } },
    { shapes: { ids: [0], weight: [4, 8] } },
  ],
  rejects: [
    { shapes: { ids: [2], weight: [7] }, throws: 'SHAPE_MISMATCH' },
    { shapes: { ids: [2], weight: [4, 8] }, inputDTypes: { ids: 'f32' }, throws: 'UNSUPPORTED_DTYPE' },
    { shapes: { ids: [2], weight: [4, 8] }, inputDTypes: { weight: 'i32' }, throws: 'UNSUPPORTED_DTYPE' },
  ],
  bench: [
    { shapes: { ids: [1], weight: [102400, 4096] }, values: { ids: 77, weight: 1 }, dtypes: ['bf16'] },
    {
      shapes: { ids: [2048], weight: [16384, 4096] },
      values: { ids: { low: 0, high: 16384 }, weight: 1 },
      dtypes: ['bf16'],
    },
  ],
  bytesMoved: ({ outputBytes }) => 2 * outputBytes,
  tolerance: { f32: 0, f16: 0, bf16: 0 },
});
