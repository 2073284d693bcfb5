// Seconds from prompt to pixels, and the image decoder alone.

import { stepRunner } from '@limen/graph-runtime';
import { generateImageCodes } from '@limen/models-janus';
import { imageToBytes, read } from '@limen/tensor';

import { benchImageDecoder } from './image-decoder.js';
import { type BenchmarkContext, kvSuffix } from './lib/context.js';
import { scale, timeCalls } from './lib/measure.js';
import { progress } from './lib/progress.js';
import { cacheTokenBytes, ceilings, decodeWeightBytes, wordIds } from './lib/random-janus.js';
import type { Measurement } from './lib/report.js';

/** Draws `n` pictures at once with guidance, for each `n` asked for. */
export async function benchDraw(context: BenchmarkContext, counts: readonly number[]): Promise<Measurement[]> {
  const { network, model, device, quantization, format, kv, runs } = context;
  const { tokens, imageCode, text } = network.config;
  const steps = imageCode.gridSize ** 2;
  const prompt = [tokens.bos, ...wordIds(network.config, 22), tokens.beginOfImage];
  const measurements: Measurement[] = [];
  for (const count of counts) {
    progress(`draw ${format}: ${count} at once`);
    const sample = await timeCalls(
      device,
      async () => {
        using codes = await generateImageCodes(network, {
          prompts: Array.from({ length: count }, () => prompt),
          padToken: tokens.pad,
          guidance: 5,
          sampling: Array.from({ length: count }, (_, seed) => ({ temperature: 1, topK: 0, topP: 1, seed })),
          stepRunner,
          cache: { dtype: kv },
        });
        using pixels = network.decodeImages(codes);
        using bytes = imageToBytes({ x: pixels });
        await read(bytes);
      },
      { runs: Math.min(runs, 5), warmUps: 1 },
    );
    const heads = text.hiddenSize * imageCode.headSize + imageCode.headSize * imageCode.codebookSize;
    const weights = decodeWeightBytes(model, quantization) - text.vocabularySize * text.hiddenSize * 2 + heads * 2;
    const cacheBytes = 2 * count * (prompt.length + steps / 2) * cacheTokenBytes(model, kv);
    const floor = (steps * (weights + cacheBytes)) / ceilings.readBytesPerSecond;
    measurements.push({
      id: `draw/${model}/${format}/n${count}${kvSuffix(context)}`,
      unit: 's',
      ...scale(sample, (milliseconds) => milliseconds / 1000),
      floor,
      rivals: [],
    });
  }
  return [...measurements, ...(await benchImageDecoder(context, counts))];
}
