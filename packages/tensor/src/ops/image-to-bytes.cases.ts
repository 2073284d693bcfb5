import { opCases } from '../testing/op-cases.js';
import { imageToBytes } from './image-to-bytes.js';

// Every byte boundary of the range, a little outside it, and what is not a number.
const boundaries = Array.from({ length: 258 }, (_, level) => ((level - 1) / 255) * 2 - 1);

export default opCases(imageToBytes, {
  test: [
    { shapes: { x: [1, 1, 1, 3] } },
    { shapes: { x: [2, 5, 7, 3] } },
    { shapes: { x: [1, 2, 43, 3] }, values: { x: boundaries } },
    { shapes: { x: [1, 1, 1, 3] }, values: { x: [NaN, Infinity, -Infinity] } },
    { shapes: { x: [1, 64, 48, 3] }, values: { x: { low: -1.2, high: 1.2 } } },
    { shapes: { x: [0, 4, 4, 3] } },
  ],
  rejects: [
    { shapes: { x: [1, 4, 4, 4] }, throws: 'SHAPE_MISMATCH' },
    { shapes: { x: [1, 4, 4, 3] }, inputDTypes: { x: 'i32' }, throws: 'UNSUPPORTED_DTYPE' },
  ],
  bench: [{ shapes: { x: [1, 384, 384, 3] } }, { shapes: { x: [16, 384, 384, 3] } }],
  tolerance: { f32: 0, f16: 0, bf16: 0 },
});
