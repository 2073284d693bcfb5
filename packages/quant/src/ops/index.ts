// One line per op.

export { linearInt8 } from './linear-int8.js';
export { quantizeInt8 } from './quantize-int8.js';
export { normLinearInt8 } from './norm-linear-int8.js';
