// Free memory of a GPU falls by what a tensor takes, and a budget limits it.

import { describe, expect, it } from 'vitest';

import { zeros } from './create.js';
import { freeMemory, setMemoryBudget } from './memory.js';
import { cudaUnavailable } from './testing/gpu.js';

const reason = cudaUnavailable();
if (reason !== undefined) console.log(`skipped: ${reason}`);

describe.skipIf(reason !== undefined)('freeMemory', () => {
  it('falls by a tensor that is made, rises when it goes, and never exceeds the budget', () => {
    const bytes = 64 * 2 ** 20;
    const before = freeMemory('cuda:0');
    {
      using tensor = zeros([bytes], { dtype: 'u8', device: 'cuda:0' });
      expect(tensor.device).toBe('cuda:0');
      expect(freeMemory('cuda:0')).toBeLessThanOrEqual(before - bytes);
    }
    // Freed memory stays with the pool, and counts as free.
    expect(freeMemory('cuda:0')).toBeGreaterThan(before - bytes);
    setMemoryBudget('cuda:0', bytes);
    expect(freeMemory('cuda:0')).toBeLessThanOrEqual(bytes);
    setMemoryBudget('cuda:0', Infinity);
  });
});
