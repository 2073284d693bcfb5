// Every op of this package on a GPU: eager, misaligned, captured and replayed, aliased.

import { cudaUnavailable, loadCases, opChecks } from '@limen/tensor/testing';
import { describe, expect, test } from 'vitest';

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
