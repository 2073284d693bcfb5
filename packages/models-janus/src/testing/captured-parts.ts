// The parts of the network that run once for a request, captured: what a replay makes of new values, and what the part
// itself makes of them.

import { SeededRandom } from '@limen/tensor/testing';
import { fromArray, read, record, type Tensor, write } from '@limen/tensor';

import { prefill } from '../generation/generate-text.js';
import { PromptBatch } from '../generation/prompt-batch.js';
import type { LoadedJanus } from '../janus-pro/load-janus.js';
import { questions } from './paged-decoding.js';

/** Names of the parts. */
export const capturedParts = ['vision tower', 'image decoder', 'prompt with pictures'] as const;

/** What came out, both ways. */
export interface BothWays {
  readonly replayed: ArrayLike<number>;
  readonly eager: ArrayLike<number>;
}

/** Captures a part with some values and replays it with others. */
export async function replayPart(loaded: LoadedJanus, part: (typeof capturedParts)[number]): Promise<BothWays> {
  const { network } = loaded;
  const { config, device, dtype } = network;
  const random = new SeededRandom(11);
  if (part === 'image decoder') {
    const { gridSize, codebookSize } = config.imageCode;
    const draw = () => Array.from({ length: 2 * gridSize ** 2 }, () => random.integer(0, codebookSize));
    using codes = fromArray(draw(), [2, gridSize ** 2], { dtype: 'i32', device });
    return await replayWith(codes, draw(), () => network.decodeImages(codes));
  }
  const side = config.vision.imageSize;
  const draw = () => Float32Array.from({ length: 2 * side * side * 3 }, () => random.normal());
  using pixels = fromArray(draw(), [2, side, side, 3], { dtype, device });
  if (part === 'vision tower') return await replayWith(pixels, draw(), () => network.encodeImages(pixels));

  const cases = questions(loaded);
  for (const { pixels: unused } of cases) unused?.dispose();
  const prompts = cases.map(({ ids }) => ids);
  using batch = new PromptBatch(prompts, config.tokens.imagePlaceholder, device);
  return await replayWith(pixels, draw(), () => prefill(network, undefined, undefined, batch, pixels));
}

async function replayWith(input: Tensor, values: ArrayLike<number>, step: () => Tensor): Promise<BothWays> {
  step().dispose(); // what happens only once stays out of the recording
  let made: Tensor | undefined;
  using recording = record(input.device, () => void (made = step()));
  using result = made as unknown as Tensor;
  write(input, values);
  recording.replay();
  const replayed = await read(result);
  using expected = step();
  return { replayed, eager: await read(expected) };
}
