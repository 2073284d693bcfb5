// One line per op.

export { copy } from './copy.js';
export { rmsNorm } from './rms-norm.js';
export { appendTokens } from './append-tokens.js';
export { fillNormal } from './fill-normal.js';
