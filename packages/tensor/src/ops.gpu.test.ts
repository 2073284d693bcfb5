// Every op on a GPU: eager, misaligned, captured and replayed, aliased.

import { describe, expect, test } from 'vitest';

import { loadCases, opChecks } from './testing/index.js';
import { cudaUnavailable } from './testing/gpu.js';

const reason = cudaUnavailable();
if (reason !== undefined) console.log(`skipped: ${reason}`);

for (const { cases } of await loadCases(new URL('./ops/', import.meta.url))) {
  describe.skipIf(reason !== undefined)(cases.op.declaration.name, () => {
    for (const check of opChecks(cases, 'cuda:0')) {
      test(check.name, async () => {
        expect(await check.run()).toEqual([]);
      });
    }
  });
}
