// Every op of a package as tests: how it is declared, and what it makes on a device.

import type { DeviceName } from '../device.js';
import { checkOp } from './check-op.js';
import { loadCases } from './load-cases.js';
import { opChecks } from './run-op-suite.js';

/** What is used of a test runner with the functions of vitest. */
export interface TestRunner {
  describe(name: string, body: () => void): unknown;
  test(name: string, body: () => void | Promise<void>): unknown;
  expect(actual: unknown): { toEqual(expected: unknown): void };
}

/**
 * Declares the tests of every op that has cases.
 *
 * @param folder - where the cases are, `*.cases.ts`
 */
export async function describeOps(
  folder: URL,
  device: DeviceName,
  { describe, test, expect }: TestRunner,
): Promise<void> {
  for (const { stem, cases } of await loadCases(folder)) {
    describe(cases.op.declaration.name, () => {
      // How an op is declared does not depend on the device.
      if (device === 'cpu') {
        test('is declared with everything an op needs', () => {
          expect(checkOp(cases, stem)).toEqual([]);
        });
      }
      for (const check of opChecks(cases, device)) {
        test(check.name, async () => {
          expect(await check.run()).toEqual([]);
        });
      }
    });
  }
}
