// Small models, prompts for them, and greedy decoding through a paged cache, for tests.

import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { SeededRandom } from '@limen/tensor/testing';
import { type DType, fromArray, nativeCpuKernels, read, type Tensor, write } from '@limen/tensor';

import { cacheFor, type CacheOptions } from '../generation/cache-options.js';
import { DecodeState } from '../generation/decode-state.js';
import { generateImageCodes } from '../generation/generate-images.js';
import { generateText, prefill } from '../generation/generate-text.js';
import { layerCache } from '../generation/layer-cache.js';
import { PromptBatch } from '../generation/prompt-batch.js';
import { runEagerly, type StepRunnerFactory } from '../generation/step-runner.js';
import { findGoldenFolder, repositoryRoot } from '../golden/find-golden.js';
import { conversationPieces, drawingPieces, encodePieces, expandImages } from '../janus-pro/prompt.js';
import type { JanusPro } from '../janus-pro/janus-pro.js';
import { type LoadedJanus, loadJanus } from '../janus-pro/load-janus.js';
import { DecodeStep } from '../llama/key-value-step.js';
import type { TextCase } from './without-cache.js';

/** Without the addon the trained model takes minutes for what these tests ask of it. */
export const computesFast = nativeCpuKernels().includes('linear');

const greedy = { temperature: 0, topK: 0, topP: 1, seed: 0 };

/** Folders of small models by name: one with random weights, one that was trained. */
export const smallModels: Readonly<Record<'janus-a' | 'janus-tiny', string>> = {
  'janus-a': findGoldenFolder('janus-a').path ?? '',
  'janus-tiny': join(repositoryRoot(), 'packages', 'janus-tiny', 'model'),
};

/** Names of the models that are at hand. */
export const modelsAtHand = (['janus-a', 'janus-tiny'] as const).filter((name) =>
  existsSync(join(smallModels[name], 'model.safetensors')),
);

/** Three questions of different lengths, the second one about two pictures of noise; the caller disposes the pixels. */
export function questions({ network, tokenizer }: LoadedJanus): TextCase[] {
  const { device, dtype, config } = network;
  const side = config.vision.imageSize;
  const encoded = (content: string, images: number) => {
    const parts = [
      ...new Array<{ type: 'image' }>(images).fill({ type: 'image' }),
      { type: 'text', text: content },
    ] as const;
    const pieces = conversationPieces([{ role: 'user', content: parts }]);
    return expandImages(encodePieces(tokenizer, pieces), config.tokens, config.vision.imageTokens);
  };
  const random = new SeededRandom(3);
  const noise = Float32Array.from({ length: 2 * side * side * 3 }, () => random.normal());
  return [
    { ids: encoded('How many discs are there?', 0) },
    {
      ids: encoded('Which of them is red?', 2),
      pixels: fromArray(noise, [2, side, side, 3], { dtype, device }),
    },
    { ids: encoded('What is this?', 0) },
  ];
}

/** Prompts of drawings of different lengths. */
export function drawings({ tokenizer }: LoadedJanus): number[][] {
  return ['a disc', 'a large red square at the top and a small blue ring'].map((prompt) =>
    encodePieces(tokenizer, drawingPieces(prompt)),
  );
}

/** Greedy tokens of a padded batch of prompts, one array for each. */
export async function decodeText(
  network: JanusPro,
  cases: readonly TextCase[],
  steps: number,
  cache: CacheOptions,
  stepRunner: StepRunnerFactory = runEagerly,
): Promise<number[][]> {
  const rows = cases.map((): number[] => []);
  const generation = generateText(network, {
    prompts: cases.map(({ ids }) => ids),
    imageToken: network.config.tokens.imagePlaceholder,
    pixels: cases.find(({ pixels }) => pixels !== undefined)?.pixels,
    sampling: cases.map(() => greedy),
    maxNewTokens: steps,
    stopTokens: [],
    cache,
    stepRunner,
  });
  for await (const { row, token } of generation) rows[row]?.push(token);
  return rows;
}

/** Greedy codes of a batch of drawings, one array for each. */
export async function decodeCodes(
  network: JanusPro,
  prompts: readonly (readonly number[])[],
  guidance: number,
  cache: CacheOptions,
  stepRunner: StepRunnerFactory = runEagerly,
): Promise<number[][]> {
  using codes = await generateImageCodes(network, {
    prompts,
    padToken: network.config.tokens.pad,
    guidance,
    sampling: prompts.map(() => greedy),
    cache,
    stepRunner,
  });
  const values = Array.from(await read(codes));
  const total = codes.extent(1);
  return prompts.map((_, row) => values.slice(row * total, (row + 1) * total));
}

/** Logits after each of the tokens that follow a prompt, fed one at a time to a decode pass over a cache. */
export async function decodeLogits(
  network: JanusPro,
  { ids, pixels }: TextCase,
  following: readonly number[],
  options: CacheOptions,
): Promise<Float32Array[]> {
  using batch = new PromptBatch([ids], network.config.tokens.imagePlaceholder, network.device);
  using cache = cacheFor(network, batch.lengths, following.length, options);
  using sequence = cache.allocateSequence(ids.length);
  sequence.reserve(ids.length + following.length);
  using state = new DecodeState(batch.lengths, cache.pageTable([sequence]), [greedy], following.length);
  prefill(network, cache, state.pageTable, batch, pixels).dispose();
  const rows: Float32Array[] = [];
  for (const token of following) {
    write(state.ids, [token]);
    using logits = decodeOnce(network, state, layerCache(cache, network.dtype));
    rows.push(Float32Array.from(await read(logits)));
    state.advance();
  }
  return rows;
}

function decodeOnce(network: JanusPro, state: DecodeState, cache: ConstructorParameters<typeof DecodeStep>[0]): Tensor {
  using column = state.ids.reshape(-1, 1);
  using embedded = network.decoder.embed(column);
  const step = new DecodeStep(cache, state.pageTable, state.positions, state.positions, state.lengths);
  using hidden = network.decoder.forward(embedded, step);
  return network.textLogits(hidden);
}

/** Loads one of the small models; the caller disposes its network. */
export function loadSmall(name: keyof typeof smallModels, device: string, dtype: DType): LoadedJanus {
  return loadJanus(smallModels[name], { device, dtype });
}
