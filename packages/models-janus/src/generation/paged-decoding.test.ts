// Decoding over a paged cache chooses the tokens that a network without any cache chooses, however the pages lie.

import { leakReport } from '@limen/tensor';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { LoadedJanus } from '../janus-pro/load-janus.js';
import {
  computesFast,
  decodeCodes,
  decodeText,
  drawings,
  loadSmall,
  modelsAtHand,
  questions,
} from '../testing/paged-decoding.js';
import { codeChoices, codesWithoutCache, type TextCase, textWithoutCache } from '../testing/without-cache.js';

const guidance = 5;
const steps = 20;
const layouts = ['HND', 'NHD'] as const;
const pageSizes = [16, 64] as const;
const storages = layouts.flatMap((layout) => pageSizes.map((pageSize) => ({ layout, pageSize })));
const models = modelsAtHand.filter((name) => name === 'janus-a' || computesFast);

describe.each(models)('%s decodes over pages', (name) => {
  let loaded: LoadedJanus;
  let cases: readonly TextCase[] = [];
  let aliveAtStart = 0;
  beforeAll(() => {
    aliveAtStart = leakReport().length;
    loaded = loadSmall(name, 'cpu', 'f32');
    cases = questions(loaded);
  });
  afterAll(() => {
    for (const { pixels } of cases) pixels?.dispose();
    loaded.network[Symbol.dispose]();
    expect(leakReport().length).toBe(aliveAtStart);
  });

  it('the tokens that it chooses without a cache, in a padded batch', { timeout: 60_000 }, async () => {
    const { network } = loaded;
    expect(new Set(cases.map(({ ids }) => ids.length)).size).toBe(cases.length);
    const expected: number[][] = [];
    for (const prompt of cases) expected.push(await textWithoutCache(network, prompt, steps));
    for (const storage of storages) expect(await decodeText(network, cases, steps, storage)).toEqual(expected);
  });

  it('the image codes that it chooses without a cache, two drawings at once', { timeout: 60_000 }, async () => {
    const { network } = loaded;
    const prompts = drawings(loaded);
    const drawn = await decodeCodes(network, prompts, guidance, {});
    for (const [row, prompt] of prompts.entries()) {
      const codes = drawn[row] ?? [];
      expect(new Set(codes).size).toBeGreaterThan(1);
      // The first ones each from a pass of its own, then all of them from one causal pass.
      expect(codes.slice(0, steps)).toEqual(
        await codesWithoutCache(network, prompt, guidance, Math.min(steps, codes.length)),
      );
      expect(codes).toEqual(await codeChoices(network, prompt, guidance, codes.slice(0, -1)));
    }
    for (const storage of storages) expect(await decodeCodes(network, prompts, guidance, storage)).toEqual(drawn);
  });
});
