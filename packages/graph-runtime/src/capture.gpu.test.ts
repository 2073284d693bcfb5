import { cudaUnavailable } from '@limen/tensor/testing';
import { expect, test } from 'vitest';

import { captureChecks } from './capture-suite.js';

const reason = cudaUnavailable();
if (reason !== undefined) console.log(`skipped: ${reason}`);

for (const { name, run, expected } of captureChecks) {
  test.skipIf(reason !== undefined)(`${name} · cuda`, async () => {
    expect(await run('cuda')).toEqual(expected);
  });
}
