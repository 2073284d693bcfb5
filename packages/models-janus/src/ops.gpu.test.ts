// Every op of this package on a GPU: eager, misaligned, captured and replayed, aliased.

import { cudaUnavailable, describeOps } from '@limen/tensor/testing';
import { describe, expect, test } from 'vitest';

const reason = cudaUnavailable();
if (reason !== undefined) console.log(`skipped: ${reason}`);

await describeOps(new URL('./ops/', import.meta.url), 'cuda:0', {
  describe: describe.skipIf(reason !== undefined),
  expect,
  test,
});
