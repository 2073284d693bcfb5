// Milliseconds from a grid of codes to pixels, for one picture and for several at once.

import { fromArray } from '@limen/tensor';

import { timeBothWays } from './lib/both-ways.js';
import type { BenchmarkContext } from './lib/context.js';
import { progress } from './lib/progress.js';
import { ceilings } from './lib/random-janus.js';
import type { Measurement } from './lib/report.js';

/** Multiply-adds of the convolutions and of the attention for one picture, doubled. */
function operationsOf({ gridSize, baseChannels, channelMultipliers, residualBlocks, latentChannels }: Shapes): number {
  const widest = baseChannels * (channelMultipliers.at(-1) ?? 1);
  let pixels = gridSize ** 2;
  const convolution = (inputs: number, outputs: number, taps = 9) => 2 * pixels * inputs * outputs * taps;
  const attention = 4 * convolution(widest, widest, 1) + 4 * pixels ** 2 * widest;
  let operations = convolution(latentChannels, widest) + 4 * convolution(widest, widest) + attention;
  let channels = widest;
  for (const [index, multiplier] of channelMultipliers.toReversed().entries()) {
    const outputs = baseChannels * multiplier;
    for (let block = 0; block <= residualBlocks; block++) {
      operations += convolution(channels, outputs) + convolution(outputs, outputs);
      if (channels !== outputs) operations += convolution(channels, outputs, 1);
      if (index === 0) operations += attention;
      channels = outputs;
    }
    if (index === channelMultipliers.length - 1) break;
    pixels *= 4;
    operations += convolution(channels, channels);
  }
  return operations + convolution(channels, 3);
}
type Shapes = BenchmarkContext['network']['config']['imageCode'];

/** Decodes `n` pictures at once, for each `n` asked for. */
export async function benchImageDecoder(context: BenchmarkContext, counts: readonly number[]): Promise<Measurement[]> {
  const { network, model, device, format, runs } = context;
  const { imageCode } = network.config;
  const length = imageCode.gridSize ** 2;
  const measurements: Measurement[] = [];
  for (const count of counts) {
    progress(`image decoder ${format}: ${count} at once`);
    using codes = fromArray(
      Array.from({ length: count * length }, (_, index) => (index * 31) % imageCode.codebookSize),
      [count, length],
      { dtype: 'i32', device },
    );
    const { eager, captured } = await timeBothWays(device, () => network.decodeImages(codes), { runs, calls: 3 });
    const floor = ((count * operationsOf(imageCode)) / ceilings.bf16OperationsPerSecond) * 1000;
    const common = { unit: 'ms', floor, rivals: [] };
    measurements.push({ id: `image-decoder/${model}/${format}/n${count}`, ...common, ...eager });
    measurements.push({ id: `image-decoder/${model}/${format}/n${count}/captured`, ...common, ...captured });
  }
  return measurements;
}
