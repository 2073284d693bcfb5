import { InvalidArgumentError, UnknownDeviceError } from '@limen/tensor';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { bytesPerToken, planCache, sequencesThatFit } from './cache-plan.js';
import { PagedCache } from './paged-cache.js';

const janusModel = { layers: 30, keyValueHeads: 32, headSize: 128 };
const glmModel = { layers: 40, keyValueHeads: 2, headSize: 128 };
const janusPro7b = { model: janusModel, dtype: 'bf16' } as const;
const glm4v9b = { model: glmModel, dtype: 'bf16' } as const;

describe('planCache', () => {
  it('counts the bytes of a token', () => {
    expect(bytesPerToken({ ...janusModel, dtype: 'bf16' })).toBe(491_520);
    expect(bytesPerToken({ ...glmModel, dtype: 'bf16' })).toBe(40_960);
    expect(bytesPerToken({ ...glmModel, dtype: 'f32' })).toBe(81_920);
  });

  it('rounds a budget in bytes down to whole pages', () => {
    const plan = planCache({ ...janusPro7b, bytes: 8 * 2 ** 30 });
    expect(plan).toEqual({
      ...janusModel,
      dtype: 'bf16',
      layout: 'HND',
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

  it('takes a share of what a device has free, or says that it needs one', () => {
    const onePage = planCache({ ...glm4v9b, pages: 1 }).bytes;
    expect(planCache({ ...glm4v9b, share: 0.5, device: 'cpu' }).bytes).toBeGreaterThanOrEqual(onePage);
    expect(planCache({ ...glm4v9b, share: 1, device: 'nowhere', freeBytes: onePage }).pages).toBe(1);
    expect(() => planCache({ ...glm4v9b, share: 0.5, device: 'nowhere' })).toThrowError(UnknownDeviceError);
    expect(() => planCache({ ...glm4v9b, share: 0.5 })).toThrowError(
      'planCache: share has nothing to be a share of: expected device or freeBytes beside it, got share 0.5 alone.',
    );
  });

  it('takes a budget in pages, of any size, and passes the layout on', () => {
    for (const pageSize of [16, 32, 64, 128, 256, 7]) {
      const plan = planCache({ ...glm4v9b, pages: 3, pageSize, layout: 'HND' });
      expect(plan).toMatchObject({
        ...glmModel,
        dtype: 'bf16',
        layout: 'HND',
        pages: 3,
        pageSize,
        tokens: 3 * pageSize,
      });
    }
  });

  it('plans what PagedCache.create takes', () => {
    const model = { layers: 2, keyValueHeads: 1, headSize: 4 };
    const plan = planCache({ model, dtype: 'f16', tokens: 40, layout: 'HND' });
    using cache = PagedCache.create({ ...plan, device: 'cpu' });
    expect(cache.statistics()).toMatchObject({ pages: { total: 3 }, bytes: { total: plan.bytes } });
    expect(cache).toMatchObject({ layout: 'HND', dtype: 'f16' });
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
    [{ ...glm4v9b, model: { ...glmModel, layers: 0 }, tokens: 1 }, 'layers is out of range'],
    [{ ...glm4v9b, pages: 0 }, 'pages is out of range'],
    [{ ...glm4v9b, model: { ...glmModel, headSize: 1.5 }, tokens: 1 }, 'headSize is out of range'],
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
