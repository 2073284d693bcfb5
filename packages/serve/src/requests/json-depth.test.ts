import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { isDeeperThan } from './json-depth.js';

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

describe('isDeeperThan', () => {
  it('agrees with the depth of the parsed value', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), fc.integer({ min: 0, max: 7 }), (value, limit) => {
        expect(isDeeperThan(Buffer.from(JSON.stringify(value)), limit)).toBe(depthOf(value) > limit);
      }),
    );
  });

  it('does not count brackets in texts, escaped quotes included', () => {
    const texts = ['[[[[', '\\', '"[', '\\"[[', '\\\\', ']}{['];
    expect(isDeeperThan(Buffer.from(JSON.stringify(texts)), 1)).toBe(false);
    expect(isDeeperThan(Buffer.from(JSON.stringify([...texts, [[]]])), 2)).toBe(true);
  });

  it('ends at a text that is never closed', () => {
    expect(isDeeperThan(Buffer.from('["[[[[['), 1)).toBe(false);
  });
});
