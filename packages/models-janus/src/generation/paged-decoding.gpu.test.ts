// Decoding over pages on a GPU: captured steps choose what eager ones choose, in every layout, page size and storage
// format, and in f32 what the network chooses without a cache.

import { cudaUnavailable } from '@limen/tensor/testing';
import { describe, expect, it } from 'vitest';

import { runCaptured } from '../golden/golden-run.js';
import { decodeCodes, decodeText, drawings, loadSmall, modelsAtHand, questions } from '../testing/paged-decoding.js';
import { codeChoices, textWithoutCache } from '../testing/without-cache.js';
import type { CacheOptions } from './cache-options.js';

const reason = cudaUnavailable();
if (reason !== undefined) console.log(`skipped: ${reason}`);

const guidance = 5;
const steps = 20;
const storages: readonly CacheOptions[] = [
  { layout: 'HND', pageSize: 16 },
  { layout: 'HND', pageSize: 64 },
  { layout: 'NHD', pageSize: 16 },
  { layout: 'NHD', pageSize: 64 },
];
const formats = (['f32', 'f16', 'bf16', 'fp8', 'int8', 'int4'] as const).map((dtype) => ({ dtype }));

describe.skipIf(reason !== undefined).each(modelsAtHand)('%s on a GPU', (name) => {
  it.each(['f32', 'bf16'] as const)('chooses in %s the same tokens and codes captured and eagerly', async (dtype) => {
    const loaded = loadSmall(name, 'cuda', dtype);
    using network = loaded.network;
    const cases = questions(loaded);
    const prompts = drawings(loaded);
    for (const storage of [...storages, ...formats]) {
      const tokens = await decodeText(network, cases, steps, storage);
      expect(tokens.map((row) => row.length)).toEqual(cases.map(() => steps));
      expect(await decodeText(network, cases, steps, storage, runCaptured)).toEqual(tokens);
      const codes = await decodeCodes(network, prompts, guidance, storage);
      expect(await decodeCodes(network, prompts, guidance, storage, runCaptured)).toEqual(codes);
    }
    for (const { pixels } of cases) pixels?.dispose();
  });

  it('chooses in f32 what it chooses without a cache, however the pages lie', async () => {
    const loaded = loadSmall(name, 'cuda', 'f32');
    using network = loaded.network;
    const cases = questions(loaded);
    const expected: number[][] = [];
    for (const prompt of cases) expected.push(await textWithoutCache(network, prompt, steps));
    for (const storage of storages) {
      expect(await decodeText(network, cases, steps, storage)).toEqual(expected);
      for (const prompt of drawings(loaded)) {
        const [codes = []] = await decodeCodes(network, [prompt], guidance, storage);
        const choices = await codeChoices(network, prompt, guidance, codes.slice(0, -1));
        // Sums run in another order here, which may tip a near tie.
        const equal = codes.filter((code, index) => code === choices[index]).length;
        expect(equal).toBeGreaterThanOrEqual(Math.floor(0.99 * codes.length));
      }
    }
    for (const { pixels } of cases) pixels?.dispose();
  });
});
