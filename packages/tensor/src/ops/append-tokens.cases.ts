import { opCases } from '../testing/op-cases.js';
import { appendTokens } from './append-tokens.js';

export default opCases(appendTokens, {
  test: [
    { shapes: { history: [1, 1] }, values: { counters: 0 } },
    { shapes: { history: [5, 17] }, values: { counters: { low: -2, high: 20 } } },
    { shapes: { history: [300, 3] }, values: { counters: { low: 0, high: 3 } } },
  ],
  rejects: [
    { shapes: { history: [2, 4], ids: [3] }, throws: 'SHAPE_MISMATCH' },
    { shapes: { history: [2, 4] }, inputDTypes: { ids: 'f32' }, throws: 'UNSUPPORTED_DTYPE' },
  ],
  bench: [{ shapes: { history: [64, 576] }, values: { counters: 3 } }],
  bytesMoved: ({ shapes }) => 12 * (shapes['history']?.[0] ?? 0),
  tolerance: { i32: 0 },
});
