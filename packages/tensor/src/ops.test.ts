// Every op on the CPU: the SIMD kernel where there is one, the reference elsewhere.

import { describe, expect, test } from 'vitest';

import { checkOp, loadCases, opChecks } from './testing/index.js';

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
