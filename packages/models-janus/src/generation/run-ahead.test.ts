// Launching ahead of what the host has seen changes when tokens are looked at, and neither the tokens nor their order.

import { leakReport, read } from '@limen/tensor';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { LoadedJanus } from '../janus-pro/load-janus.js';
import { drawings, loadSmall, modelsAtHand, questions } from '../testing/paged-decoding.js';
import type { TextCase } from '../testing/without-cache.js';
import { generateImageCodes, type ImageGeneration } from './generate-images.js';
import { type DrawnToken, generateText, type TextGeneration } from './generate-text.js';
import { runEagerly } from './step-runner.js';

const greedy = { temperature: 0, topK: 0, topP: 1, seed: 0 };
const steps = 11;

describe.skipIf(!modelsAtHand.includes('janus-a'))('running ahead of the host', () => {
  let loaded: LoadedJanus;
  let cases: readonly TextCase[] = [];
  let aliveAtStart = 0;
  beforeAll(() => {
    aliveAtStart = leakReport().length;
    loaded = loadSmall('janus-a', 'cpu', 'f32');
    cases = questions(loaded).filter(({ pixels }) => {
      pixels?.dispose();
      return pixels === undefined;
    });
  });
  afterAll(() => {
    loaded.network[Symbol.dispose]();
    expect(leakReport().length).toBe(aliveAtStart);
  });

  const text = (more: Partial<TextGeneration>): TextGeneration => ({
    prompts: cases.map(({ ids }) => ids),
    imageToken: loaded.network.config.tokens.imagePlaceholder,
    sampling: cases.map(() => greedy),
    maxNewTokens: steps,
    stopTokens: [],
    ...more,
  });
  /** Every token, with the number of steps that had been launched when it came out. */
  async function collect(request: TextGeneration) {
    let launched = 0;
    const counting: TextGeneration['stepRunner'] = (device, step) => {
      const runner = runEagerly(device, step);
      return {
        run: () => {
          launched++;
          runner.run();
        },
        [Symbol.dispose]: () => runner[Symbol.dispose](),
      };
    };
    const tokens: (DrawnToken & { readonly launched: number })[] = [];
    for await (const token of generateText(loaded.network, { ...request, stepRunner: counting })) {
      tokens.push({ ...token, launched });
    }
    return { tokens, launched };
  }
  const shown = (tokens: readonly DrawnToken[]) =>
    tokens.map(({ row, token, last }) => `${row}:${token}${last ? '.' : ''}`);

  it.each([1, 2, 4, 32])('by %i steps gives the same tokens in the same order', async (runAhead) => {
    const plain = await collect(text({ runAhead: 0 }));
    const ahead = await collect(text({ runAhead }));
    expect(plain.tokens).toHaveLength(steps * cases.length);
    expect(shown(ahead.tokens)).toEqual(shown(plain.tokens));
    expect(ahead.launched).toBe(steps - 1);
  });

  it('lets the first token out before any step, and later ones with the next steps under way', async () => {
    const { tokens } = await collect(text({ runAhead: 4 }));
    const first = tokens.filter(({ row }) => row === 0);
    expect(first.map(({ launched }) => launched)).toEqual([0, 8, 8, 8, 8, 10, 10, 10, 10, 10, 10]);
    const plain = (await collect(text({ runAhead: 0 }))).tokens.filter(({ row }) => row === 0);
    expect(plain.map(({ launched }) => launched)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  it('drops what was drawn behind a stop, row by row', async () => {
    const [sample] = [await collect(text({ runAhead: 0 }))];
    const tokenAt = (row: number, index: number) => sample.tokens.filter((drawn) => drawn.row === row)[index]?.token;
    const stopTokens = [tokenAt(0, 2) ?? -1, tokenAt(1, 5) ?? -1];
    const plain = await collect(text({ runAhead: 0, stopTokens }));
    const ahead = await collect(text({ runAhead: 4, stopTokens }));
    expect(shown(ahead.tokens)).toEqual(shown(plain.tokens));
    expect(ahead.tokens.filter(({ last }) => last)).toHaveLength(cases.length);
    expect(ahead.tokens.length).toBeLessThan(steps * cases.length);
    expect(ahead.launched - plain.launched).toBeLessThanOrEqual(8);
  });

  it('ends when its reader does, and when its signal aborts', async () => {
    for await (const token of generateText(loaded.network, text({ runAhead: 4 }))) if (token.row === 1) break;
    const stop = new AbortController();
    const aborted = async () => {
      for await (const token of generateText(loaded.network, text({ runAhead: 2, signal: stop.signal })))
        if (token.row === 1) stop.abort(new RangeError('enough'));
    };
    await expect(aborted()).rejects.toThrow('enough');
  });

  it('reports the same codes of a drawing, later and in the same order', async () => {
    const draw = async (more: Partial<ImageGeneration>) => {
      const reports: { done: number; codes: number[][] }[] = [];
      using codes = await generateImageCodes(loaded.network, {
        prompts: drawings(loaded),
        padToken: loaded.network.config.tokens.pad,
        guidance: 5,
        sampling: drawings(loaded).map(() => greedy),
        reportEvery: 3,
        onCodes: (known, done) => void reports.push({ done, codes: known.map((row) => [...row]) }),
        ...more,
      });
      return { reports, codes: [...(await read(codes))] };
    };
    const plain = await draw({});
    expect(plain.reports.length).toBeGreaterThan(2);
    expect(plain.reports.every(({ done, codes }) => codes.every((row) => row.length === done))).toBe(true);
    for (const runAhead of [1, 3, 7, 1000]) expect(await draw({ runAhead })).toEqual(plain);
    const stop = new AbortController();
    const onCodes = () => stop.abort(new RangeError('enough'));
    await expect(draw({ runAhead: 4, onCodes, signal: stop.signal })).rejects.toThrow('enough');
  });
});
