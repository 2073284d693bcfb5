// One line per op.

export { copy } from './copy.js';
export { rmsNorm } from './rms-norm.js';
export { appendTokens } from './append-tokens.js';
export { fillNormal } from './fill-normal.js';
export { attention } from './attention.js';
export { conv2d } from './conv2d.js';
export { linear } from './linear.js';
