import { cudaUnavailable } from '@limen/tensor/testing';
import { describe } from 'vitest';

import { checkBuckets } from './testing/graph-runtime-checks.js';
import { checkGraphStates } from './testing/graph-state-checks.js';
import { checkRandomSequences } from './testing/random-sequences.js';

const reason = cudaUnavailable();
if (reason !== undefined) console.log(`skipped: ${reason}`);

describe.skipIf(reason !== undefined)('a graph runtime on a GPU', () => {
  checkBuckets('cuda');
  checkGraphStates('cuda');
  checkRandomSequences('cuda', 1000);
});
