// Time from prompt to first token: text alone, with one picture, and the tower alone.

import { prefill, PromptBatch } from '@limen/models-janus';
import { argmax, empty, fillNormal } from '@limen/tensor';

import type { BenchmarkContext } from './lib/context.js';
import { timeLaunches } from './lib/measure.js';
import { ceilings, layerOperations } from './lib/random-janus.js';
import type { Measurement } from './lib/report.js';

/** 640 tokens, of which 576 are a picture, or none; and eight prompts of 1,024 tokens at once. */
export async function benchPrefill({
  network,
  model,
  device,
  format,
  runs,
  dtype,
}: BenchmarkContext): Promise<Measurement[]> {
  const { vision, tokens } = network.config;
  const { imageSize, imageTokens, hiddenSize, intermediateSize, layers } = vision;
  const total = 640;
  const words = (count: number) => Array.from({ length: count }, (_, index) => 10 + ((index * 7919) % 90000));
  const picture = [
    ...words(10),
    tokens.beginOfImage,
    ...new Array<number>(imageTokens).fill(tokens.imagePlaceholder),
    tokens.endOfImage,
  ];
  using pixels = empty([1, imageSize, imageSize, 3], { dtype, device });
  fillNormal({ x: pixels });

  const towerOperations =
    2 * imageTokens * layers * (4 * hiddenSize ** 2 + 2 * hiddenSize * intermediateSize) +
    layers * 4 * imageTokens ** 2 * hiddenSize;
  const textOperations = total * layerOperations(model);
  const milliseconds = (operations: number) => (operations / ceilings.bf16OperationsPerSecond) * 1000;

  const cases = [
    {
      id: 'prefill',
      varies: 't640i1',
      prompts: [[...picture, ...words(total - picture.length)]],
      image: pixels,
      floor: milliseconds(textOperations + towerOperations),
    },
    {
      id: 'prefill',
      varies: 't640i0',
      prompts: [words(total)],
      image: undefined,
      floor: milliseconds(textOperations),
    },
    {
      id: 'prefill',
      varies: 't1024i0',
      prompts: Array.from({ length: 8 }, () => words(1024)),
      image: undefined,
      floor: milliseconds(8 * 1024 * layerOperations(model)),
    },
  ];
  const measurements: Measurement[] = [];
  for (const { id, varies, prompts, image, floor } of cases) {
    using batch = new PromptBatch(prompts, tokens.imagePlaceholder, device);
    const sample = await timeLaunches(
      device,
      () => {
        using last = prefill(network, undefined, undefined, batch, image);
        using logits = network.textLogits(last);
        argmax({ x: logits }).dispose();
      },
      { runs, calls: 3 },
    );
    measurements.push({
      id: `${id}/${model}/${format}/b${prompts.length}/${varies}`,
      unit: 'ms',
      ...sample,
      floor,
      rivals: [],
    });
  }
  const tower = await timeLaunches(device, () => network.encodeImages(pixels).dispose(), { runs, calls: 3 });
  measurements.push({
    id: `tower/${model}/${format}/n1`,
    unit: 'ms',
    ...tower,
    floor: milliseconds(towerOperations),
    rivals: [],
  });
  return measurements;
}
