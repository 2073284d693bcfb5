// Time from prompt to first token: text alone, with one picture, a batch of long prompts; and the tower alone.
// Each launched op by op and as a graph.

import { prefill, PromptBatch } from '@limen/models-janus';
import { argmax, empty, fillNormal, type Tensor } from '@limen/tensor';

import { timeBothWays } from './lib/both-ways.js';
import type { BenchmarkContext } from './lib/context.js';
import { progress } from './lib/progress.js';
import { ceilings, layerOperations, wordIds } from './lib/random-janus.js';
import type { Measurement } from './lib/report.js';

/** One prompt with or without a picture, and a batch of long ones. */
export interface PrefillSizes {
  /** Tokens of a single prompt, the picture's included. */
  readonly single: number;
  readonly batch: number;
  /** Tokens of each prompt of the batch. */
  readonly each: number;
}

/** What is measured unless a small size is asked for. */
export const prefillSizes: Record<'full' | 'small', PrefillSizes> = {
  full: { single: 640, batch: 8, each: 1024 },
  small: { single: 40, batch: 2, each: 24 },
};

/** Milliseconds until the first token of every prompt is chosen. */
export async function benchPrefill(
  { network, model, device, format, runs, dtype }: BenchmarkContext,
  { single, batch, each }: PrefillSizes,
): Promise<Measurement[]> {
  const { config } = network;
  const { vision, tokens, text } = config;
  const { imageSize, imageTokens, hiddenSize, intermediateSize, layers } = vision;
  const picture = [
    ...wordIds(config, 10),
    tokens.beginOfImage,
    ...new Array<number>(imageTokens).fill(tokens.imagePlaceholder),
    tokens.endOfImage,
  ];
  using pixels = empty([1, imageSize, imageSize, 3], { dtype, device });
  fillNormal({ x: pixels });

  const towerOperations =
    2 * imageTokens * layers * (4 * hiddenSize ** 2 + 2 * hiddenSize * intermediateSize) +
    layers * 4 * imageTokens ** 2 * hiddenSize;
  // A token attends to those before it: half of all pairs, two products of the width for each.
  const textOperations = (rows: number, length: number) =>
    rows * (length * layerOperations(model) + text.layers * 2 * length ** 2 * text.heads * text.headSize);
  const milliseconds = (operations: number) => (operations / ceilings.bf16OperationsPerSecond) * 1000;

  const cases: { varies: string; prompts: number[][]; image?: Tensor; operations: number }[] = [
    {
      varies: `b1/t${single}i1`,
      prompts: [[...picture, ...wordIds(config, single - picture.length)]],
      image: pixels,
      operations: textOperations(1, single) + towerOperations,
    },
    { varies: `b1/t${single}i0`, prompts: [wordIds(config, single)], operations: textOperations(1, single) },
    {
      varies: `b${batch}/t${each}i0`,
      prompts: Array.from({ length: batch }, (_, row) => wordIds(config, each, row * each)),
      operations: textOperations(batch, each),
    },
  ];
  const measurements: Measurement[] = [];
  for (const { varies, prompts, image, operations } of cases) {
    progress(`prefill ${format}: ${varies}`);
    using rows = new PromptBatch(prompts, tokens.imagePlaceholder, device);
    const { eager, captured } = await timeBothWays(
      device,
      () => {
        using last = prefill(network, undefined, undefined, rows, image);
        using logits = network.textLogits(last);
        return argmax({ x: logits });
      },
      { runs, calls: 3 },
    );
    const common = { unit: 'ms', floor: milliseconds(operations), rivals: [] };
    measurements.push({ id: `prefill/${model}/${format}/${varies}`, ...common, ...eager });
    measurements.push({ id: `prefill/${model}/${format}/${varies}/captured`, ...common, ...captured });
  }
  progress(`prefill ${format}: tower`);
  const rows = await timeBothWays(device, () => network.encodeImages(pixels), { runs, calls: 3 });
  const common = { unit: 'ms', floor: milliseconds(towerOperations), rivals: [] };
  measurements.push({ id: `tower/${model}/${format}/n1`, ...common, ...rows.eager });
  measurements.push({ id: `tower/${model}/${format}/n1/captured`, ...common, ...rows.captured });
  return measurements;
}
