// `npm run bench -- <name> [options]`: runs one benchmark, see benchmarks/README.md.

import { forwardToSource } from './lib/forward-to-source.mjs';

await forwardToSource('benchmarks/bench.ts');
