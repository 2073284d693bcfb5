// Every golden folder that is at hand, on the CPU: the network computes what the reference implementation computes.

import { expect, it } from 'vitest';

import { checkGoldenFolder } from './check-folder.js';
import { describeGolden } from './for-each-golden.js';
import type { Verdict } from './verdict.js';

describeGolden(['janus-a', 'janus-a/original', 'janus-b', 'janus-b/original', 'janus-c'], 'golden', (path) => {
  it('agrees with the reference tensor by tensor and id by id', { timeout: 120_000 }, async () => {
    const verdicts: Verdict[] = [];
    await checkGoldenFolder(path, { device: 'cpu', dtype: 'f32' }, (verdict) => verdicts.push(verdict));
    expect(verdicts.length).toBeGreaterThan(90);
    expect(verdicts.filter(({ passed }) => !passed)).toEqual([]);
  });
});
