import { InvalidArgumentError } from '@limen/tensor';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { LatencyHistory } from './latency-history.js';

describe('LatencyHistory', () => {
  it('takes percentiles by nearest rank', () => {
    const history = new LatencyHistory();
    for (let value = 100; value >= 1; value -= 1) history.add(value, 1);
    expect(history.percentiles(0.5, 0.95, 0.99, 1, 0.001)).toEqual([50, 95, 99, 100, 1]);
    expect(history.longest).toBe(100);
  });

  it('forgets the oldest steps', () => {
    const history = new LatencyHistory(3);
    for (const value of [1000, 1, 2, 3]) history.add(value, value);
    expect(history.size).toBe(3);
    expect(history.longest).toBe(3);
    expect(history.percentiles(1)).toEqual([3]);
    expect(history.tokensPerSecond).toBe(1000);
  });

  it('has no percentiles while it is empty', () => {
    const history = new LatencyHistory();
    expect(history.percentiles(0.5)).toEqual([NaN]);
    expect(history.longest).toBeNaN();
    expect(history.tokensPerSecond).toBe(0);
  });

  it('always reports a latency that occurred, and never fewer for a larger share', () => {
    const latencies = fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(latencies, fc.integer({ min: 1, max: 20 }), (values, capacity) => {
        const history = new LatencyHistory(capacity);
        for (const value of values) history.add(value, 0);
        const kept = values.slice(-capacity);
        const found = history.percentiles(0.5, 0.95, 0.99, 1);
        expect(kept).toEqual(expect.arrayContaining(found));
        expect(found).toEqual(found.toSorted((a, b) => a - b));
        expect(kept.filter((value) => value <= (found[0] ?? NaN)).length).toBeGreaterThanOrEqual(kept.length / 2);
      }),
      { seed: 4, numRuns: 500 },
    );
  });

  it.each([0, 1.5, NaN, -1])('rejects a capacity of %d', (capacity) => {
    expect(() => new LatencyHistory(capacity)).toThrowError(InvalidArgumentError);
  });
});
