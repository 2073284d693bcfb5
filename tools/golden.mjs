// `npm run golden -- <folder> [--device cpu|cuda] [--dtype f32|bf16|f16]`: checks a checkpoint folder tensor by tensor.

import { forwardToSource } from './lib/forward-to-source.mjs';

await forwardToSource('packages/models-janus/src/golden/cli.ts');
