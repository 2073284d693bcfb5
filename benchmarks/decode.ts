// Decode speed: tokens per second over a batch, eager against captured, at a fixed context.

import { stepRunner } from '@limen/graph-runtime';
import { PagedCache } from '@limen/kv-cache';
import { DecodeState, type JanusPro, runEagerly, type StepRunnerFactory, textStep } from '@limen/models-janus';
import { fillNormal, write } from '@limen/tensor';

import type { BenchmarkContext } from './lib/context.js';
import { timeLaunches, scale } from './lib/measure.js';
import { cacheTokenBytes, ceilings, decodeWeightBytes } from './lib/random-janus.js';
import type { Measurement } from './lib/report.js';

/** Measures every batch size and context asked for. */
export async function benchDecode({
  network,
  model,
  device,
  quantization,
  format,
  batches,
  contexts,
  runs,
}: BenchmarkContext): Promise<Measurement[]> {
  const measurements: Measurement[] = [];
  for (const context of contexts) {
    for (const batch of batches) {
      const bytes = decodeWeightBytes(model, quantization) + batch * context * cacheTokenBytes(model);
      const floor = (batch * ceilings.readBytesPerSecond) / bytes;
      for (const [suffix, factory] of [
        ['', stepRunner],
        ['/eager', runEagerly],
      ] as const) {
        const sample = await decodeOnce(network, device, batch, context, factory, runs);
        const tokens = scale(sample, (milliseconds) => (1000 * batch) / milliseconds);
        measurements.push({
          id: `decode/${model}/${format}/b${batch}/c${context}${suffix}`,
          unit: 'tok/s',
          ...tokens,
          floor,
          rivals: [],
        });
      }
    }
  }
  return measurements;
}

async function decodeOnce(
  network: JanusPro,
  device: string,
  batch: number,
  context: number,
  factory: StepRunnerFactory,
  runs: number,
) {
  const { layers, keyValueHeads, headSize } = network.config.text;
  const steps = 16;
  const total = context + steps * (runs + 4);
  using cache = PagedCache.create({
    layers,
    keyValueHeads,
    headSize,
    pages: batch * Math.ceil(total / 16),
    dtype: 'bf16',
    device,
  });
  for (let layer = 0; layer < layers; layer++) {
    const { keys, values } = cache.layer(layer);
    fillNormal({ x: keys }, { seed: 2 * layer });
    fillNormal({ x: values }, { seed: 2 * layer + 1 });
  }
  const sequences = Array.from({ length: batch }, () => cache.allocateSequence(total));
  const greedy = { temperature: 0, topK: 0, topP: 1, seed: 0 };
  const lengths = new Array<number>(batch).fill(context);
  using state = new DecodeState(
    lengths,
    cache.pageTable(sequences),
    Array.from({ length: batch }, () => greedy),
    total,
  );
  using runner = factory(device, () => textStep(network, cache, state));
  const sample = await timeLaunches(device, () => runner.run(), { runs, calls: steps, warmUps: 2 });
  write(state.positions, lengths);
  return sample;
}
