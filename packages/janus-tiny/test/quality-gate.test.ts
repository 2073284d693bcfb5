// Known answers and a few dozen fresh cases: fails when the weights, the tokenizer, the sampler or a kernel is broken in a small way. The
// full measurement is `npm run quality`.

import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import {
  drawingPieces,
  encodeImage,
  encodePieces,
  generateImageCodes,
  type JanusModel,
  loadModel,
  prefill,
  PromptBatch,
} from '@limen/models-janus';
import { nativeCpuKernels, read, type Tensor } from '@limen/tensor';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { columns, recorded } from './recorded.js';
import { bleu, isRightAnswer, janusTinyFolder, judgeDrawing, makeCase } from '../src/index.js';

const folder = janusTinyFolder();
const isTrained = existsSync(join(folder, 'model.safetensors'));
// Without the addon an answer takes a second and a drawing half a minute: then a handful has to do.
const isFast = nativeCpuKernels().includes('linear');
const count = isFast ? { cases: 10, drawings: 16 } : { cases: 2, drawings: 1 };
const cases = Array.from({ length: Math.max(count.cases, count.drawings) }, (_, index) => makeCase('test', 424242 + index));

describe.skipIf(!isTrained)('the trained model', { timeout: 600_000 }, () => {
  let model: JanusModel;
  beforeAll(async () => {
    model = await loadModel(folder);
  });
  afterAll(() => model[Symbol.dispose]());

  it('encodes, computes and samples as recorded', async () => {
    const { network, tokenizer } = model;
    const ids = encodePieces(tokenizer, drawingPieces(makeCase('test', 424242).drawPrompt));
    expect(ids).toEqual(recorded.promptIds);

    using batch = new PromptBatch([ids], -1, 'cpu');
    using last = prefill(network, undefined, undefined, batch);
    for (const [logits, expected] of [
      [network.textLogits(last), recorded.textLogits],
      [network.imageLogits(last), recorded.imageLogits],
    ] as const) {
      using owned: Tensor = logits;
      const values = await read(owned);
      for (const [index, column] of columns.entries()) {
        expect(values[column]).toBeCloseTo(expected[index] ?? NaN, 3);
      }
    }

    using codes = await generateImageCodes(network, {
      prompts: [ids],
      padToken: network.config.tokens.pad,
      guidance: 1.5,
      sampling: [{ temperature: 1, topK: 50, topP: 0.9, seed: 7 }],
    });
    const hash = createHash('sha256').update([...(await read(codes))].join(',')).digest('hex');
    expect(hash.slice(0, 16)).toBe(recorded.codesHash);
  });

  it('answers questions about pictures it has never seen, and describes them word for word', async () => {
    const asked = await Promise.all(
      cases.slice(0, count.cases).map(async ({ image, questions, description }) => ({
        picture: await encodeImage(image),
        queries: [{ text: 'Describe this image.', answer: description }, ...questions.slice(0, isFast ? 5 : 2)],
      })),
    );
    const flat = asked.flatMap(({ picture, queries }) => queries.map((query) => ({ picture, ...query })));
    const answers = await model.chatBatch(
      flat.map(({ picture, text }) => ({
        messages: [{ role: 'user', content: [{ type: 'image', image: picture }, { type: 'text', text }] }],
        maxNewTokens: 96,
      })),
    );
    const pairs = flat.map(({ answer }, index) => ({ answer: answers[index]?.text ?? '', expected: answer }));
    const wrong = pairs.filter((pair) => !isRightAnswer(pair));
    expect(wrong.length / pairs.length, JSON.stringify(wrong)).toBeLessThanOrEqual(0.03);
    expect(bleu(pairs.map(({ answer, expected }) => ({ text: answer, reference: expected })))).toBeGreaterThan(0.97);
  });

  it('draws what is asked for', async () => {
    const wanted = cases.slice(0, count.drawings);
    const images = await model.drawBatch(
      wanted.map(({ drawPrompt }) => drawPrompt),
      { seed: 7 },
    );
    const right = wanted.filter(({ drawRequest }, index) => {
      const image = images[index];
      return image !== undefined && judgeDrawing(image, drawRequest).right;
    });
    expect(right.length / wanted.length).toBeGreaterThanOrEqual(0.8);
  });
});
