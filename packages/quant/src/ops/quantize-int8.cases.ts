import { opCases } from '@limen/tensor/testing';

import { quantizeInt8 } from './quantize-int8.js';

export default opCases(quantizeInt8, {
  test: [
    { shapes: { weight: [1, 1] } },
    { shapes: { weight: [7, 1001] } },
    { shapes: { weight: [40, 256] } },
    { shapes: { weight: [3, 24] }, values: { weight: 0 } },
    // With a largest value of 127 the scale is 1: halves must go to the even neighbour.
    { shapes: { weight: [1, 9] }, values: { weight: [127, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 3.5, -127] } },
    { shapes: { weight: [0, 8] } },
  ],
  rejects: [
    { shapes: { weight: [2, 8] }, inputDTypes: { weight: 'i32' }, values: { weight: 1 }, throws: 'UNSUPPORTED_DTYPE' },
  ],
  bench: [{ shapes: { weight: [12288, 4096] } }],
  tolerance: { f32: 0, f16: 0, bf16: 0 },
});
