// One line per op.

export { copy } from './copy.js';
export { rmsNorm } from './rms-norm.js';
