// The golden folders on a GPU: f32 to the reference's own tolerances, the 16-bit types to theirs.

import { cudaUnavailable } from '@limen/tensor/testing';
import { expect, it } from 'vitest';

import { checkGoldenFolder } from './check-folder.js';
import { describeGolden } from './for-each-golden.js';
import type { Verdict } from './verdict.js';

const reason = cudaUnavailable();
if (reason !== undefined) console.log(`skipped: ${reason}`);

describeGolden(['janus-a', 'janus-a/original', 'janus-b', 'janus-b/original', 'janus-c'], 'golden on a GPU', (path) => {
  it.skipIf(reason !== undefined).each(['f32', 'bf16', 'f16'] as const)(
    'agrees with the reference in %s',
    async (dtype) => {
      const verdicts: Verdict[] = [];
      await checkGoldenFolder(path, { device: 'cuda', dtype }, (verdict) => verdicts.push(verdict));
      expect(verdicts.length).toBeGreaterThan(90);
      expect(verdicts.filter(({ passed }) => !passed)).toEqual([]);
    },
  );
});
