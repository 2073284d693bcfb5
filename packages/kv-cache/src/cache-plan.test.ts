import { InvalidArgumentError } from '@limen/tensor';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { bytesPerToken, planCache, sequencesThatFit } from './cache-plan.js';

const janusPro7b = { layers: 30, keyValueHeads: 32, headSize: 128, dtype: 'bf16' } as const;
const glm4v9b = { layers: 40, keyValueHeads: 2, headSize: 128, dtype: 'bf16' } as const;

describe('planCache', () => {
  it('counts the bytes of a token', () => {
    expect(bytesPerToken(janusPro7b)).toBe(491_520);
    expect(bytesPerToken(glm4v9b)).toBe(40_960);
    expect(bytesPerToken({ ...glm4v9b, dtype: 'f32' })).toBe(81_920);
  });

  it('rounds a budget in bytes down to whole pages', () => {
    const plan = planCache({ ...janusPro7b, bytes: 8 * 2 ** 30 });
    expect(plan).toEqual({
      bytesPerToken: 491_520,
      bytesPerPage: 7_864_320,
      pageSize: 16,
      pages: 1092,
      tokens: 17_472,
      bytes: 1092 * 7_864_320,
    });
  });

  it('rounds a budget in tokens up to whole pages', () => {
    expect(planCache({ ...glm4v9b, tokens: 17 })).toMatchObject({ pages: 2, tokens: 32 });
    expect(planCache({ ...glm4v9b, tokens: 17, pageSize: 1 })).toMatchObject({ pages: 17, tokens: 17 });
  });

  it('takes a share of the free bytes', () => {
    const freeBytes = 10 * 655_360;
    expect(planCache({ ...glm4v9b, share: 0.5, freeBytes })).toMatchObject({ pages: 5 });
    expect(planCache({ ...glm4v9b, share: 1, freeBytes })).toMatchObject({ pages: 10, bytes: freeBytes });
  });

  it('counts the sequences that fit, each on whole pages', () => {
    const plan = planCache({ ...glm4v9b, tokens: 160 });
    expect([1, 16, 17, 160, 161].map((length) => sequencesThatFit(plan, length))).toEqual([10, 10, 5, 1, 0]);
    expect(() => sequencesThatFit(plan, 0)).toThrowError(InvalidArgumentError);
  });

  it('never exceeds its budget and never leaves a whole page of it', () => {
    fc.assert(
      fc.property(fc.integer({ min: 655_360, max: 2 ** 45 }), (bytes) => {
        const plan = planCache({ ...glm4v9b, bytes });
        expect(plan.bytes).toBeLessThanOrEqual(bytes);
        expect(plan.bytes + plan.bytesPerPage).toBeGreaterThan(bytes);
      }),
      { seed: 5 },
    );
  });

  it.each([
    [{ ...glm4v9b, bytes: 1000 }, 'buys no page: expected at least 655360 bytes, one page, got 1000'],
    [{ ...glm4v9b, bytes: -1 }, 'bytes is out of range'],
    [{ ...glm4v9b, share: 0, freeBytes: 2 ** 30 }, 'share is out of range: expected a number in (0, 1], got 0'],
    [{ ...glm4v9b, share: NaN, freeBytes: 2 ** 30 }, 'share is out of range'],
    [{ ...glm4v9b, share: 0.5, freeBytes: NaN }, 'freeBytes is out of range'],
    [{ ...glm4v9b, tokens: 0 }, 'tokens is out of range'],
    [{ ...glm4v9b, layers: 0, tokens: 1 }, 'layers is out of range'],
    [{ ...glm4v9b, headSize: 1.5, tokens: 1 }, 'headSize is out of range'],
    [{ ...glm4v9b, pageSize: 0, tokens: 1 }, 'pageSize is out of range'],
  ])('rejects %o', (options, text) => {
    expect(() => planCache(options)).toThrowError(InvalidArgumentError);
    expect(() => planCache(options)).toThrowError(text);
  });

  it('rejects a dtype that is no storage format', () => {
    const options = JSON.parse(JSON.stringify({ ...glm4v9b, dtype: 'toString', tokens: 1 })) as Parameters<
      typeof planCache
    >[0];
    expect(() => planCache(options)).toThrowError(
      'dtype is not a storage format: expected f32 | f16 | bf16 | fp8 | int8 | int4, got toString',
    );
  });
});
