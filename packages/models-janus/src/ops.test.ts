// Every op of this package on the CPU: the SIMD kernel where there is one, the reference elsewhere.

import { checkOp, loadCases, opChecks } from '@limen/tensor/testing';
import { describe, expect, test } from 'vitest';

for (const { stem, cases } of await loadCases(new URL('./ops/', import.meta.url))) {
  describe(cases.op.declaration.name, () => {
    test('is declared with everything an op needs', () => {
      expect(checkOp(cases, stem)).toEqual([]);
    });
    for (const check of opChecks(cases, 'cpu')) {
      test(check.name, async () => {
        expect(await check.run()).toEqual([]);
      });
    }
  });
}
