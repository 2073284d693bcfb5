import { opCases } from '../testing/op-cases.js';
import { checksum } from './checksum.js';

const values = { x: { low: -128, high: 128 } };

export default opCases(checksum, {
  test: [
    { shapes: { x: [1] }, values: { x: 77 } },
    { shapes: { x: [3, 17] }, values: { x: { low: 0, high: 100 } } },
    { shapes: { x: [2, 5, 64] }, values, dtypes: ['i32', 'i8'] },
    { shapes: { x: [13] }, values, dtypes: ['i32', 'i8'] },
    // Several blocks, and a tail of one byte.
    { shapes: { x: [300001] }, values: { x: { low: 0, high: 128 } } },
    { shapes: { x: [0, 8] }, values },
  ],
  rejects: [
    { shapes: { x: [8] }, dtypes: ['f32'], throws: 'UNSUPPORTED_DTYPE' },
    { shapes: { x: [8] }, dtypes: ['f8e4m3'], throws: 'UNSUPPORTED_DTYPE' },
  ],
  // The read ceiling of the device: one gibibyte, far more than its caches hold.
  bench: [{ shapes: { x: [2 ** 30] }, dtypes: ['u8'] }],
  tolerance: { i32: 0 },
});
