import { opCases } from '../testing/op-cases.js';
import { upsampleNearest } from './upsample-nearest.js';

export default opCases(upsampleNearest, {
  test: [
    { shapes: { x: [1, 1, 1, 1] } },
    { shapes: { x: [2, 3, 5, 17] } },
    { shapes: { x: [2, 7, 4, 64] } },
    { shapes: { x: [1, 3, 2, 12] }, attributes: { scale: 3 } },
    { shapes: { x: [1, 3, 2, 8] }, attributes: { scale: 1 } },
    { shapes: { x: [0, 4, 4, 8] } },
  ],
  rejects: [
    { shapes: { x: [3, 5, 17] }, throws: 'SHAPE_MISMATCH' },
    { shapes: { x: [1, 2, 2, 8] }, attributes: { scale: 0 }, throws: 'SHAPE_MISMATCH' },
    { shapes: { x: [1, 2, 2, 8] }, attributes: { scale: 1.5 }, throws: 'SHAPE_MISMATCH' },
    { shapes: { x: [1, 2, 2, 8] }, inputDTypes: { x: 'i32' }, throws: 'UNSUPPORTED_DTYPE' },
  ],
  bench: [{ shapes: { x: [1, 24, 24, 512] } }, { shapes: { x: [1, 192, 192, 256] } }],
  tolerance: { f32: 0, f16: 0, bf16: 0 },
});
