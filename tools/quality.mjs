// `npm run quality -- [options]`: what a trained model gets right, see benchmarks/quality.ts.

import { forwardToSource } from './lib/forward-to-source.mjs';

await forwardToSource('benchmarks/quality.ts');
