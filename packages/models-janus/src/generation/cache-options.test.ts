// How keys and values are kept: what the choices cost in bytes and in accuracy, and how a wrong one is refused.

import { InvalidArgumentError, leakReport } from '@limen/tensor';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { runCaptured } from '../golden/golden-run.js';
import { findGoldenFolder } from '../golden/find-golden.js';
import { loadModel } from '../janus-model.js';
import { janusProConfigs } from '../janus-pro/published-configs.js';
import { type LoadedJanus, loadJanus } from '../janus-pro/load-janus.js';
import {
  computesFast,
  decodeCodes,
  decodeLogits,
  decodeText,
  drawings,
  loadSmall,
  modelsAtHand,
  questions,
} from '../testing/paged-decoding.js';
import { type TextCase, textLogitsWithoutCache } from '../testing/without-cache.js';
import { cacheFor, type CacheOptions, resolveCacheOptions } from './cache-options.js';

describe.skipIf(!computesFast || !modelsAtHand.includes('janus-tiny'))('a cache of janus-tiny', () => {
  let loaded: LoadedJanus;
  let cases: readonly TextCase[] = [];
  let answers: readonly number[][] = [];
  beforeAll(async () => {
    loaded = loadSmall('janus-tiny', 'cpu', 'f32');
    cases = questions(loaded);
    answers = await decodeText(loaded.network, cases, 16, {});
  });
  afterAll(() => {
    for (const { pixels } of cases) pixels?.dispose();
    loaded.network[Symbol.dispose]();
  });

  // Vectors of 32 elements take 128 bytes as f32; scales take four bytes beside each.
  it.each([
    ['f32', 1],
    ['bf16', 64 / 128],
    ['fp8', (32 + 4) / 128],
    ['int8', (32 + 4) / 128],
    ['int4', (16 + 4) / 128],
  ] as const)('in %s takes %d of the bytes of f32', (dtype, share) => {
    const bytesIn = (options: CacheOptions) => {
      using cache = cacheFor(loaded.network, [40, 7], 24, options);
      using sequence = cache.allocateSequence(40);
      const { bytes, pages } = cache.statistics();
      expect(pages.total).toBe(4 + 2);
      expect(sequence.length).toBe(40);
      return bytes;
    };
    const [exact, chosen] = [bytesIn({}), bytesIn({ dtype })];
    expect(exact.perToken).toBe(2 * 6 * 6 * 128);
    expect(chosen.perToken).toBe(share * exact.perToken);
    expect(chosen.used).toBe(share * exact.used);
    expect(chosen.total).toBe(share * exact.total);
  });

  // Over the model's own answers. Bounds are about twice what is measured; f32 differs by the order of sums alone.
  it.each([
    ['f32', 0, 1e-5],
    ['f16', 1e-5, 1e-3],
    ['bf16', 1e-4, 5e-3],
    ['int8', 1e-4, 5e-3],
    ['fp8', 1e-3, 2e-2],
    ['int4', 5e-3, 6e-2],
  ] as const)('in %s moves logits by at least %d and less than %d of the largest', async (dtype, least, most) => {
    const { network } = loaded;
    let [error, largest] = [0, 0];
    for (const [index, prompt] of cases.entries()) {
      const following = answers[index] ?? [];
      const exact = (await textLogitsWithoutCache(network, prompt, following)).slice(1);
      const actual = await decodeLogits(network, prompt, following, { dtype });
      expect(actual).toHaveLength(16);
      expect(exact).toHaveLength(16);
      for (const [row, logits] of exact.entries()) {
        for (const [token, value] of logits.entries()) {
          error = Math.max(error, Math.abs(value - (actual[row]?.[token] ?? Infinity)));
          largest = Math.max(largest, Math.abs(value));
        }
      }
    }
    expect(error / largest).toBeGreaterThanOrEqual(least);
    expect(error / largest).toBeLessThan(most);
  });

  it.each(['f16', 'bf16', 'fp8', 'int8', 'int4'] as const)(
    'in %s makes words, captured or not, in either layout, and gives its memory back',
    async (dtype) => {
      const alive = leakReport().length;
      const { network } = loaded;
      const eager = await decodeText(network, cases, 8, { dtype });
      expect(eager.map((tokens) => tokens.length)).toEqual([8, 8, 8]);
      expect(await decodeText(network, cases, 8, { dtype }, runCaptured)).toEqual(eager);
      expect(await decodeText(network, cases, 8, { dtype, layout: 'NHD', pageSize: 64 })).toEqual(eager);
      expect(leakReport().length).toBe(alive);
    },
  );
});

const folder = findGoldenFolder('janus-a').path ?? '';

describe.skipIf(folder === '')('a model', () => {
  it.each(['fp8', 'int8', 'int4', 'bf16'] as const)('that keeps %s draws', async (dtype) => {
    const loaded = loadJanus(folder, { cache: { dtype } });
    using network = loaded.network;
    const codes = await decodeCodes(network, drawings(loaded), 5, loaded.cache);
    expect(codes.map((row) => row.length)).toEqual([16, 16]);
    expect(await decodeCodes(network, drawings(loaded), 5, loaded.cache, runCaptured)).toEqual(codes);
  });

  it('says how it keeps keys and values, and keeps them so', async () => {
    using plain = await loadModel(folder);
    expect(plain.cache).toEqual({ dtype: 'f32', layout: 'HND', pageSize: 16 });
    using model = await loadModel(folder, { cache: { dtype: 'int4', pageSize: 32 } });
    expect(model.cache).toEqual({ dtype: 'int4', layout: 'HND', pageSize: 32 });
    const ask = { messages: [{ role: 'user', content: 'hello' }], maxNewTokens: 40, temperature: 0 } as const;
    const [[exact], [coarse]] = [await plain.chatBatch([ask]), await model.chatBatch([ask])];
    expect(coarse?.tokens).not.toEqual(exact?.tokens);
  });

  it.each<[CacheOptions, string, string]>([
    [{ dtype: 'fp4' as 'fp8' }, 'cache.dtype', 'auto | f32 | f16 | bf16 | fp8 | int8 | int4'],
    [{ layout: 'DHN' as 'HND' }, 'cache.layout', 'NHD | HND'],
    [{ pageSize: 0 }, 'cache.pageSize', 'a positive integer'],
    [{ pageSize: 1.5 }, 'cache.pageSize', 'a positive integer'],
  ])('refuses %o before it reads a file', (cache, option, expected) => {
    const load = () => loadJanus('no-such-folder', { cache });
    expect(load).toThrow(InvalidArgumentError);
    expect(load).toThrow(`loadModel: ${option} is not allowed: expected ${expected}, got ${Object.values(cache)[0]}.`);
  });
});

it('a format that a head size does not fit is refused', () => {
  const config = janusProConfigs['janus-pro-1b'];
  const odd = { ...config, text: { ...config.text, headSize: 33 } };
  expect(() => resolveCacheOptions({ dtype: 'bf16', config: odd }, { dtype: 'int4' })).toThrow(InvalidArgumentError);
  expect(resolveCacheOptions({ dtype: 'bf16', config: odd })).toEqual({ dtype: 'bf16', layout: 'HND', pageSize: 16 });
});
