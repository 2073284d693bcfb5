import { opCases } from '../testing/op-cases.js';
import { groupNorm } from './group-norm.js';

export default opCases(groupNorm, {
  test: [
    { shapes: { x: [1, 1, 1, 1] }, attributes: { groups: 1 } },
    { shapes: { x: [2, 7, 5, 33] }, attributes: { groups: 3, activation: 'silu' } },
    { shapes: { x: [2, 13, 11, 128] }, attributes: { activation: 'silu' } },
    { shapes: { x: [1, 24, 24, 512] } },
    { shapes: { x: [3, 9, 4, 24] }, attributes: { groups: 4 } },
    // Longer than a block of threads: rounds, and groups that no round holds whole.
    { shapes: { x: [1, 3, 3, 1009] }, attributes: { groups: 1 } },
    { shapes: { x: [1, 3, 2, 3072] }, attributes: { groups: 2 } },
    // A mean a hundred times the spread: the variance must not be the difference of two large sums.
    { shapes: { x: [1, 40, 40, 64] }, values: { x: { low: 30, high: 31 } }, dtypes: ['f32'] },
    { shapes: { x: [0, 4, 4, 32] } },
  ],
  rejects: [
    { shapes: { x: [1, 2, 2, 32], weight: [31] }, throws: 'SHAPE_MISMATCH' },
    { shapes: { x: [1, 2, 2, 33] }, throws: 'SHAPE_MISMATCH' },
    { shapes: { x: [1, 2, 2, 32] }, attributes: { groups: 0 }, throws: 'SHAPE_MISMATCH' },
    { shapes: { x: [1, 2, 2, 32] }, inputDTypes: { x: 'i32' }, throws: 'UNSUPPORTED_DTYPE' },
  ],
  bench: [
    { shapes: { x: [1, 24, 24, 512] }, attributes: { activation: 'silu' } },
    { shapes: { x: [1, 384, 384, 128] }, attributes: { activation: 'silu' } },
  ],
  // Two passes: statistics first, so x crosses twice where it does not fit in cache.
  bytesMoved: ({ inputBytes, outputBytes }) => 2 * inputBytes + outputBytes,
  tolerance: { f32: 3e-5, f16: 3e-3, bf16: 2e-2 },
});
